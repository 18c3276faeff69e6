# needs: /usr/sbin/sshd ssh scp sftp curl openssl
# A shell, files, tunnels and terminals by OpenSSH.
. "$(dirname "$0")/begin.sh"
ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f user
mkdir -p /run/sshd
cp user.pub authorized
cat > sshd_config << END
ListenAddress 127.0.0.1:2222
ListenAddress [::1]:2222
HostKey $folder/host
AuthorizedKeysFile $folder/authorized
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
PermitRootLogin prohibit-password
MaxStartups 100
AcceptEnv MARK
END
/usr/sbin/sshd -D -e -f "$folder/sshd_config" 2> sshd.err &
until_open 2222
printf 'Host peer peer6\nPort 2222\nUser root\nIdentityFile %s/user\nStrictHostKeyChecking no\nUserKnownHostsFile %s/known\nLogLevel ERROR\nHost peer\nHostName 127.0.0.1\nHost peer6\nHostName ::1\n' "$folder" "$folder" > config
remote() { ssh -F config "$@"; }
remote peer 'echo hello from $SSH_CONNECTION | sed "s/ [0-9]* / PORT /"; exit 7'
echo "status $?"
seq 1 1000 | remote peer6 "cat; echo end" | sum
noise 20000000 > big
remote peer 'cat > big2; sha256sum < big2 | cut -c1-16; cat big2' < big 2>&1 | sum
scp -q -F config big peer:"$folder/copied" && cmp big copied && echo scp there
scp -q -O -F config peer:"$folder/copied" back && cmp big back && echo scp back by the old protocol
mkdir tree && for i in 1 2 3 4 5; do mkdir tree/$i && for j in a b c; do echo $i$j > tree/$i/$j; done; done
scp -q -r -F config tree peer6:"$folder/tree2" 2>&1
scp -q -r -F config tree peer:"$folder/tree3" && diff -r tree tree3 && echo scp of a tree
printf 'cd %s\nput big sftp1\nget sftp1 sftp2\nmkdir made\nrename sftp1 made/x\nls made\nchmod 600 made/x\nrm made/x\nrmdir made\nbye\n' "$folder" | sftp -q -F config -b - peer 2>&1 | grep -v '^sftp>'
cmp big sftp2 && echo sftp
remote -tt peer 'stty size; tty | sed "s/[0-9]*$/N/"; test -t 0 && echo a terminal' < /dev/null | tr -d '\r'
python3 -c '
import http.server, socketserver, threading
class H(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), H).serve_forever()' &
until_open 8000
remote -N -L 8001:127.0.0.1:8000 -R 8002:127.0.0.1:8000 -D 8003 peer &
until_open 8001; until_open 8002; until_open 8003
for how in http://127.0.0.1:8001/big http://127.0.0.1:8002/big '--socks5 127.0.0.1:8003 http://127.0.0.1:8000/big'; do
  curl -s $how | sum
done
for i in 1 2 3 4 5 6 7 8; do curl -s http://127.0.0.1:8001/big | sum & done | sort | uniq -c
remote -M -S "$folder/control" -f -N peer
for i in 1 2 3 4 5; do remote -S "$folder/control" peer "echo shared $i"; done
remote -S "$folder/control" -O exit peer 2> /dev/null
remote peer 'kill -TERM $$'
echo "status $?"
timeout 2 ssh -F config peer 'sleep 100'
echo "status $?"
