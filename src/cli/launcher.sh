#!/bin/sh
':' // These lines are for the shell, and strings for Node.js: the build puts them in front of launcher.cjs.
':' // Beside it is a program that notes what is handed on, which a shell and Node.js change: see starter.ts.
':' //; case $0$VEDETTE_INHERITED in *.cjs) test -x "${0%.cjs}" && exec "${0%.cjs}" "$@" ;; esac
':' // Where it is not, as behind a link of another name, the same without the note, and it comes here with little address space. starter.ts says what the flags and names are for.
':' //; if [ -n "$NODE_EXTRA_CA_CERTS" ]; then export VEDETTE_CA_CERTS="$NODE_EXTRA_CA_CERTS"; unset NODE_EXTRA_CA_CERTS; fi
':' //; hash node 2>&- || { echo 'vedette: no node in PATH; fix: install Node.js 20 or newer' >&2; exit 127; }
':' // V8 reserves address space before anything of ours runs, each version another amount, and dies in its own words, or not at all.
':' //; VEDETTE_V=$(ulimit -v); case $VEDETTE_V in ????????*) ;; *)
':' //; case $VEDETTE_V in [4-9]????? | ???????) node -e 'Buffer.allocUnsafe(5e7)' > /dev/null 2>&1 ;; *) false ;; esac || {
':' //; echo "vedette: an address space of $VEDETTE_V KiB is too small for Node.js; fix: raise \"ulimit -v\" to 2000000 or more" >&2; exit 125; } ;; esac
':' //; unset VEDETTE_V
':' //; exec node --min-semi-space-size=8 --v8-pool-size=1 --expose-gc -- "$0" "$@"
