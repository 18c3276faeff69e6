#!/bin/sh
':' // These lines are for the shell, and strings for Node.js: the build puts them in front of launcher.cjs.
':' // Node 20 reads NODE_EXTRA_CA_CERTS when it starts, for up to 50 ms, and the kernel has no use for it.
':' //; if [ -n "$NODE_EXTRA_CA_CERTS" ]; then export VEDETTE_CA_CERTS="$NODE_EXTRA_CA_CERTS"; unset NODE_EXTRA_CA_CERTS; fi
':' // What a start allocates lives on: with more room for new objects V8 need not look through them three times.
':' // One thread compiles in the background: several would take the cpus from the guest while the kernel warms up.
':' // A sandbox that has nothing to do collects its garbage once and gives the memory back.
':' //; hash node 2>&- || { echo 'vedette: no node in PATH; fix: install Node.js 20 or newer' >&2; exit 127; }
':' // V8 reserves address space before anything of ours runs, each version another amount, and dies in its own words, or not at all.
':' //; VEDETTE_V=$(ulimit -v); case $VEDETTE_V in ????????*) ;; *)
':' //; case $VEDETTE_V in [4-9]????? | ???????) node -e 'Buffer.allocUnsafe(5e7)' > /dev/null 2>&1 ;; *) false ;; esac || {
':' //; echo "vedette: an address space of $VEDETTE_V KiB is too small for Node.js; fix: raise \"ulimit -v\" to 2000000 or more" >&2; exit 125; } ;; esac
':' //; unset VEDETTE_V
':' //; exec node --min-semi-space-size=8 --v8-pool-size=1 --expose-gc "$0" "$@"
