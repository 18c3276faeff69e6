# What the scripts of this folder begin with: a folder of their own. Processes end with the namespace or
# sandbox, whose first one the script is.
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy NODE_EXTRA_CA_CERTS SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d /tmp/vedette-peer-XXXXXX) || exit 99
cd "$folder" || exit 99
chmod 755 .
trap 'cd / && rm -rf "$folder"' EXIT
trap 'exit 98' INT TERM
# until_open PORT: a server listens there.
until_open() {
  i=0
  until ss -Hltn "sport = :$1" 2> /dev/null | grep -q .; do
    i=$((i + 1))
    [ $i -lt 300 ] || { echo "nobody listens at port $1"; exit 97; }
    sleep 0.1
  done
}
sum() { sha256sum | cut -c1-16; }
# Bytes that are the same in every run: noise COUNT.
noise() { openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00000000000000000000000000000000 -in /dev/zero 2> /dev/null | head -c "$1"; }
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2> /dev/null
}
