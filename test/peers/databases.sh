# needs: /usr/lib/postgresql/15/bin/postgres redis-server redis-benchmark memcached memccapable mosquitto mosquitto_pub
# PostgreSQL, Redis, memcached and mosquitto over TCP.
. "$(dirname "$0")/begin.sh"
bin=/usr/lib/postgresql/15/bin
mkdir pg && chown postgres pg
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
as $bin/initdb -D "$folder/pg" -A trust --no-sync > /dev/null 2>&1 || echo no database
as $bin/postgres -D "$folder/pg" -c listen_addresses=127.0.0.1,::1 -c unix_socket_directories= -c fsync=off -c port=5433 -c max_connections=60 > pg.log 2>&1 &
until_open 5433
export PGHOST=127.0.0.1 PGPORT=5433 PGUSER=postgres PGDATABASE=postgres
i=0; until psql -Atc 'select 1' > /dev/null 2>&1; do i=$((i + 1)); [ $i -lt 100 ] || break; sleep 0.1; done
psql -Atc "select inet_server_addr(), inet_client_addr()"
psql -h ::1 -Atc "select inet_server_addr()"
pgbench -q -i -s 1 > /dev/null 2>&1
pgbench -n -c 4 -j 2 -t 50 2> /dev/null | grep processed
pgbench -n -S -c 8 -j 2 -t 100 -M prepared 2> /dev/null | grep processed
pgbench -n -S -C -c 2 -t 20 2> /dev/null | grep processed
psql -Atc "copy (select i, md5(i::text) from generate_series(1, 200000) i) to stdout" | sum
psql -Atc "create table t (i int, m text)"
seq 1 100000 | sed 's/$/\tsome text/' | psql -c "copy t from stdin"
psql -Atc "select count(*), sum(i) from t"
psql -Atc "select pg_sleep(30)" > slept 2>&1 & s=$!
sleep 0.5; psql -Atc "select pg_cancel_backend(pid) from pg_stat_activity where query like 'select pg_sleep%' and pid <> pg_backend_pid()"; wait $s; cat slept
python3 - << 'END'
import socket, struct
s = socket.create_connection(('127.0.0.1', 5433))
s.sendall(struct.pack('>II', 8, 80877103))
print(s.recv(1))
END

redis-server --port 6380 --bind 127.0.0.1 ::1 --save '' --io-threads 2 > /dev/null &
redis-server --port 6381 --bind 127.0.0.1 --save '' --replicaof 127.0.0.1 6380 --repl-diskless-sync-delay 0 > /dev/null &
until_open 6380; until_open 6381
redis-benchmark -p 6380 -n 2000 -c 20 -q 2> /dev/null | tr '\r' '\n' | grep -E 'requests per second' | sed 's/:.*//'
redis-benchmark -p 6380 -n 20000 -c 20 -P 16 -t get,set -q 2> /dev/null | tr '\r' '\n' | grep -E 'requests per second' | sed 's/:.*//'
redis-benchmark -p 6380 -n 500 -d 100000 -t get,set -q 2> /dev/null | tr '\r' '\n' | grep -E 'requests per second' | sed 's/:.*//'
r() { redis-cli -p 6380 "$@"; }
r -h ::1 set k v; r get k
i=0; until [ "$(redis-cli -p 6381 get k)" = v ]; do i=$((i + 1)); [ $i -lt 100 ] || break; sleep 0.1; done
echo "replica has $(redis-cli -p 6381 get k)"
{ redis-cli -p 6380 subscribe c & echo $! > sub.pid; wait; } > heard 2>&1 &
i=0; until [ "$(r publish c hello)" = 1 ]; do i=$((i + 1)); [ $i -lt 100 ] || break; sleep 0.1; done
sleep 0.3; kill "$(cat sub.pid)"; tail -1 heard
seq 1 20000 | awk '{printf "SET p%d %d\r\n", $1, $1}' | r --pipe | tail -1
r get p19999
timeout 3 redis-cli -p 6380 blpop nothing 1

memcached -u nobody -l 127.0.0.1,::1 -p 11211 -U 11211 &
until_open 11211
memccapable -h 127.0.0.1 -p 11211 2>&1 | grep -E 'pass|fail' | sort
memcstat --servers=127.0.0.1:11211 | grep -c :
memccp --servers=127.0.0.1:11211 pg.log > /dev/null && memccat --servers=127.0.0.1:11211 pg.log 2>&1 | head -c 1 | wc -c
memcslap --servers=127.0.0.1:11211 --concurrency=8 --execute-number=200 --test=get --flush 2>&1 | grep -cE 'Time|took'

printf 'listener 1884 127.0.0.1\nlistener 1885 ::1\nallow_anonymous true\n' > m.conf
mosquitto -c m.conf > mosquitto.log 2>&1 &
until_open 1884
for q in 0 1 2; do
  mosquitto_sub -p 1884 -t "q/$q/#" -q $q -C 20 -W 20 > got$q & w=$!
  sleep 0.7
  seq 1 20 | mosquitto_pub -p 1884 -t "q/$q/x" -q $q -l
  wait $w; sum < got$q
done
mosquitto_pub -p 1884 -t kept -r -m retained; mosquitto_sub -h ::1 -p 1885 -t kept -C 1 -W 10
noise 1000000 > big; mosquitto_sub -p 1884 -t big -C 1 -N -W 20 > big2 & w=$!; sleep 0.7; mosquitto_pub -p 1884 -t big -f big -q 1; wait $w; cmp big big2 && echo big message
