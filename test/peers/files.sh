# needs: git rsync lftp /usr/sbin/vsftpd pip3 npm apt-ftparchive openssl
# Trees and packages from servers of the test's: git, rsync, FTP, pip, npm, apt.
. "$(dirname "$0")/begin.sh"
export HOME="$folder" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
git config --global user.name A && git config --global user.email a@example && git config --global init.defaultBranch main
git config --global safe.directory '*' && git config --global protocol.version 2
mkdir -p srv && git init -q work && cd work
for i in 1 2 3 4 5 6 7 8; do noise $((i * 100000)) > f$i; mkdir -p d/$i; seq 1 $((i * 1000)) > d/$i/g; git add . ; git commit -q -m "number $i"; done
cd .. && git clone -q --bare work srv/r.git && git -C srv/r.git config http.receivepack true && git -C srv/r.git config daemon.receivepack true
git daemon --base-path="$folder/srv" --export-all --listen=127.0.0.1 --port=9418 --reuseaddr > /dev/null 2>&1 &
python3 "$here/cgi_server.py" 8010 "$folder/srv" &
until_open 9418; until_open 8010
for from in git://127.0.0.1/r.git http://127.0.0.1:8010/git/r.git; do
  git clone -q $from c && git -C c rev-parse HEAD && git -C c fsck 2>&1 | head -3
  git clone -q --depth 1 $from shallow && git -C shallow rev-list --count HEAD
  cd c && git checkout -q -b "b$(echo $from | wc -c)" && echo more >> f1 && git commit -q -a -m more && git push -q origin HEAD 2>&1; git fetch -q; git ls-remote origin; cd ..
  rm -rf c shallow
done

cat > rsyncd.conf << END
use chroot = no
uid = root
gid = root
port = 8730
address = 127.0.0.1
[all]
path = $folder/store
read only = no
END
mkdir store && rsync --daemon --no-detach --config=rsyncd.conf &
until_open 8730
rsync -a work/ rsync://127.0.0.1:8730/all/ && diff -r work store && echo rsync there
noise 900000 | sed 's/a/b/' > work/f8
rsync -a --no-whole-file --delete --stats work/ rsync://127.0.0.1:8730/all/ | grep -E 'transferred|Matched'
rsync -a -z rsync://127.0.0.1:8730/all/ back/ && diff -r work back && echo rsync back
rsync rsync://127.0.0.1:8730/all/ | wc -l

mkdir -p ftp/in empty && chmod 777 ftp/in && cp -r work/d ftp/ && noise 5000000 > ftp/big && chmod -R a+rX ftp
cat > vsftpd.conf << END
listen=NO
listen_ipv6=YES
listen_port=2100
anonymous_enable=YES
no_anon_password=YES
anon_root=$folder/ftp
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
write_enable=YES
local_enable=NO
secure_chroot_dir=$folder/empty
ftp_username=ftp
port_enable=YES
connect_from_port_20=NO
background=NO
seccomp_sandbox=NO
END
chown root vsftpd.conf
vsftpd "$folder/vsftpd.conf" &
until_open 2100
for mode in 'set ftp:passive-mode on' 'set ftp:passive-mode off'; do
  rm -rf got mirrored
  lftp -c "$mode; set net:timeout 10; set net:max-retries 1; set cmd:fail-exit yes; open ftp://127.0.0.1:2100; get big -o got; mirror -P 4 d mirrored; put -O in got -o up; cls -1 in; rm in/up" 2>&1
  cmp ftp/big got && diff -r ftp/d mirrored && echo "$mode"
done
curl -s ftp://127.0.0.1:2100/big | sum
curl -s 'ftp://[::1]:2100/big' | sum
curl -s -P - 'ftp://[::1]:2100/big' | sum
curl -s -P - ftp://127.0.0.1:2100/big | sum

mkdir -p wheel/thing pypi/thing && echo 'def f(): return "a thing"' > wheel/thing/__init__.py
python3 - << 'END'
import zipfile
with zipfile.ZipFile('pypi/thing/thing-1.0-py3-none-any.whl', 'w') as z:
    z.write('wheel/thing/__init__.py', 'thing/__init__.py')
    z.writestr('thing-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n')
    z.writestr('thing-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    z.writestr('thing-1.0.dist-info/RECORD', '')
open('pypi/thing/index.html', 'w').write('<a href="thing-1.0-py3-none-any.whl">thing-1.0-py3-none-any.whl</a>')
END
mkdir -p tarball/package && echo '{"name":"small","version":"1.2.3","main":"i.js"}' > tarball/package/package.json && echo 'module.exports = "small indeed"' > tarball/package/i.js
mkdir -p registry debs deb/DEBIAN deb/usr/share/thing
tar -C tarball -czf registry/small-1.2.3.tgz package
printf '{"name":"small","dist-tags":{"latest":"1.2.3"},"versions":{"1.2.3":{"name":"small","version":"1.2.3","dist":{"shasum":"%s","tarball":"http://127.0.0.1:8020/registry/small-1.2.3.tgz"}}}}' "$(sha1sum registry/small-1.2.3.tgz | cut -d' ' -f1)" > registry/small
printf 'Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example>\nDescription: thing\n' > deb/DEBIAN/control; echo data > deb/usr/share/thing/data
dpkg-deb --root-owner-group -b deb debs/thing_1_all.deb > /dev/null
(cd debs && apt-ftparchive packages . > Packages && apt-ftparchive release . > Release)
python3 -c '
import http.server
class H(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8020), H).serve_forever()' &
until_open 8020
PIP_CONFIG_FILE=/dev/null pip3 install -q --no-cache-dir --disable-pip-version-check --break-system-packages --root-user-action ignore --index-url http://127.0.0.1:8020/pypi/ --trusted-host 127.0.0.1 --target "$folder/site" thing 2>&1 | tail -3
PYTHONPATH=site python3 -c 'import thing; print(thing.f())'
mkdir project && cd project && npm install --silent --no-audit --no-fund --no-update-notifier --userconfig /dev/null --cache "$folder/npm" --registry http://127.0.0.1:8020/registry/ small 2>&1 | tail -3
node -p 'require("small")'; cd ..
mkdir -p apt/lists/partial apt/cache/archives/partial apt/etc/apt.conf.d apt/etc/preferences.d apt/state && echo 'deb [trusted=yes] http://127.0.0.1:8020/debs ./' > apt/etc/sources.list && : > apt/status
# Without Dpkg's own configuration: no hooks, no proxies.
printf 'Dir "%s/apt";\nDir::Etc "%s/apt/etc";\nDir::State "%s/apt/state";\nDir::State::lists "%s/apt/lists";\nDir::State::status "%s/apt/status";\nDir::Cache "%s/apt/cache";\nAPT::Sandbox::User "root";\n' "$folder" "$folder" "$folder" "$folder" "$folder" "$folder" > apt.conf
APT_CONFIG="$folder/apt.conf" apt-get -qq -o Acquire::http::Proxy=false update 2>&1 | tail -3
APT_CONFIG="$folder/apt.conf" apt-get -qq -o Acquire::http::Proxy=false download thing 2>&1 | tail -3
cmp thing_1_all.deb debs/thing_1_all.deb && echo apt
