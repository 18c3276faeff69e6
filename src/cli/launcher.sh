#!/bin/sh
':' // These lines are for the shell, and strings for Node.js: the build puts them in front of launcher.cjs.
':' // Node 20 reads NODE_EXTRA_CA_CERTS when it starts, for up to 50 ms, and the kernel has no use for it.
':' //; if [ -n "$NODE_EXTRA_CA_CERTS" ]; then export VEDETTE_CA_CERTS="$NODE_EXTRA_CA_CERTS"; unset NODE_EXTRA_CA_CERTS; fi
':' // What a start allocates lives on: with more room for new objects V8 need not look through them three times.
':' // One thread compiles in the background: several would take the cpus from the guest while the kernel warms up.
':' // A sandbox that has nothing to do collects its garbage once and gives the memory back.
':' //; command -v node > /dev/null || { echo 'vedette: no node in PATH; fix: install Node.js 20 or newer' >&2; exit 127; }
':' //; exec node --min-semi-space-size=8 --v8-pool-size=1 --expose-gc "$0" "$@"
