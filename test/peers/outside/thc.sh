strip() { sed 's/\x1b\[[0-9;]*m//g'; }
beyond atk6-alive6 v1 2>&1 | strip | grep -E 'Alive|Found' | sort
beyond atk6-implementation6 -s 2600:9::2 v1 2600:9::1 2>&1 | strip | sed 's/[0-9.]* *ms//' > impl; cat impl
beyond atk6-fragmentation6 v1 2600:9::1 2>&1 | strip
beyond atk6-firewall6 v1 2600:9::1 80 2>&1 | strip
beyond atk6-trace6 v1 2600:9::1 80 2>&1 | strip | sed 's/[0-9.]*ms//'
