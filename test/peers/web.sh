# needs: nginx curl wget ab wrk h2load nghttpd hey openssl haproxy
# nginx, nghttpd and haproxy with the clients that there are.
. "$(dirname "$0")/begin.sh"
certificate
noise 3000000 > big
echo small > small
cat > nginx.conf << END
worker_processes 2;
pid $folder/nginx.run;
error_log $folder/error.log;
user root;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $folder/t1; proxy_temp_path $folder/t2; fastcgi_temp_path $folder/t3; uwsgi_temp_path $folder/t4; scgi_temp_path $folder/t5;
  client_max_body_size 100m;
  gzip on; gzip_types *; gzip_min_length 1;
  upstream back { server 127.0.0.1:8081; server [::1]:8081; keepalive 8; }
  server { listen 127.0.0.1:8080; listen [::1]:8080; listen unix:$folder/sock; root $folder; dav_methods PUT DELETE;
    location /slow/ { alias $folder/; limit_rate 3m; }
    location /back/ { proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-From \$remote_addr; }
  }
  server { listen 127.0.0.1:8081; listen [::1]:8081 ipv6only=on; root $folder; sendfile on; tcp_nopush on; }
  server { listen 127.0.0.1:8443 ssl http2; ssl_certificate $folder/cert.pem; ssl_certificate_key $folder/key.pem; root $folder; }
}
END
nginx -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;' &
until_open 8080; until_open 8443
get() { curl -s -m 60 "$@"; }
get http://127.0.0.1:8080/small
get 'http://[::1]:8080/small'
get --unix-socket sock http://x/small
get http://127.0.0.1:8080/big | sum
get http://127.0.0.1:8080/back/big | sum
get --compressed http://127.0.0.1:8080/back/big | sum
get http://127.0.0.1:8080/slow/big | sum
get -r 100-199,1000-1099 http://127.0.0.1:8080/big | wc -c
get -C 1000000 -o part http://127.0.0.1:8080/big; head -c 1000000 big | cat - part | cmp - big
get -k --http2 https://127.0.0.1:8443/big -w '%{http_version} %{response_code}\n' -o got && cmp got big
get --cacert cert.pem --http1.1 https://localhost:8443/small --resolve localhost:8443:127.0.0.1
get -k --no-progress-meter -Z https://127.0.0.1:8443/small https://127.0.0.1:8443/small https://127.0.0.1:8443/small
get -I http://127.0.0.1:8080/big | grep -i ^content-length | tr -d '\r'
get -T big http://127.0.0.1:8080/put -w '%{response_code}\n' && cmp big put
get -H 'Expect: 100-continue' -H 'Transfer-Encoding: chunked' -T big http://127.0.0.1:8080/put2 -w '%{response_code}\n' && cmp big put2
get --interface lo --local-port 20000-20100 http://127.0.0.1:8080/small
get --connect-timeout 2 http://127.0.0.1:9/ ; echo "status $?"
get --limit-rate 4M http://127.0.0.1:8080/big | sum
get -m 1 http://127.0.0.1:8080/slow/../slow/big --limit-rate 100 -o lost; echo "status $?"
get --keepalive-time 1 --tcp-nodelay --tcp-fastopen http://127.0.0.1:8080/small
wget -q -O - http://127.0.0.1:8080/big | sum
wget -q --no-check-certificate -O - https://127.0.0.1:8443/small
seq 1 50 | sed 's/.*/url = http:\/\/127.0.0.1:8080\/big\noutput = \/dev\/null/' > many
get --no-progress-meter -Z --parallel-max 20 -K many -w '%{response_code}\n' | sort | uniq -c
ab -q -n 1000 -c 16 http://127.0.0.1:8080/small 2>&1 | grep -E '^(Complete|Failed|Non-2xx)'
ab -q -k -n 2000 -c 16 http://127.0.0.1:8080/small 2>&1 | grep -E '^(Complete|Failed|Keep-Alive)' | sed 's/19[0-9][0-9]$\|2000$/about 2000/'
wrk -t2 -c 20 -d 1 http://127.0.0.1:8080/small | grep -E 'Socket errors|Non-2xx|requests in' | sed 's/[0-9].*/some/'
hey -n 600 -c 20 http://127.0.0.1:8080/small | grep responses
hey -n 200 -c 10 -h2 https://127.0.0.1:8443/small | grep responses
hey -n 200 -c 10 -disable-keepalive http://127.0.0.1:8080/small | grep responses
h2load -n 2000 -c 10 -m 20 https://127.0.0.1:8443/small | grep -E '^(requests|status)'
h2load -n 100 -c 4 -m 10 https://127.0.0.1:8443/big | grep -E '^(requests|status)'
nghttpd -d "$folder" 9001 key.pem cert.pem > /dev/null 2>&1 &
nghttpd -d "$folder" --no-tls 9000 > /dev/null 2>&1 &
until_open 9000; until_open 9001
h2load -n 2000 -c 10 -m 20 http://127.0.0.1:9000/small | grep -E '^(requests|status)'
h2load -n 100 -c 4 -m 10 https://localhost:9001/big | grep -E '^(requests|status)'
h2load -n 200 -c 4 --h1 http://127.0.0.1:8080/small | grep -E '^(requests|status)'
nghttp -n -s http://127.0.0.1:9000/big | grep -c /big
cat > haproxy.cfg << END
global
  nbthread 2
  stats socket $folder/stats.sock
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:8090
  bind :::8091 v4v6
  bind 127.0.0.1:8092 ssl crt $folder/both.pem alpn h2,http/1.1
  default_backend b
backend b
  balance roundrobin
  option httpchk GET /small
  http-reuse always
  server one 127.0.0.1:8080 check inter 300ms
  server two [::1]:8081 check inter 300ms
  server dead 127.0.0.1:9 check inter 300ms backup
listen raw
  mode tcp
  bind 127.0.0.1:8093
  server one 127.0.0.1:8443 send-proxy-v2 disabled
  server two 127.0.0.1:8443
END
cat cert.pem key.pem > both.pem
haproxy -q -f haproxy.cfg 2> /dev/null &
until_open 8090; until_open 8093
for u in http://127.0.0.1:8090/big http://127.0.0.1:8091/big 'http://[::1]:8091/big' https://127.0.0.1:8092/big https://127.0.0.1:8093/big; do get -k "$u" | sum; done
ab -q -n 500 -c 16 http://127.0.0.1:8090/small 2>&1 | grep -E '^(Complete|Failed|Non-2xx)'
h2load -n 500 -c 5 -m 10 https://127.0.0.1:8092/small | grep -E '^(requests|status)'
nginx -p "$folder" -c "$folder/nginx.conf" -s reload && sleep 1 && get http://127.0.0.1:8080/small
nginx -p "$folder" -c "$folder/nginx.conf" -s quit
sleep 0.5
get http://127.0.0.1:8080/small; echo "status $?"
