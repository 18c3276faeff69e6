// Two hosts of the world with HTTPS and HTTP: "web", whose requests are read by Node.js, and "other", which is the attacker's and keeps
// every byte that it gets. Both append to a file what came. Arguments: the file, a folder with NAME.pem, web's address, other's address.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer as plainServer, type RequestListener } from 'node:http';
import { createServer as secureServer } from 'node:https';
import { createServer as rawServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, createServer as rawTlsServer } from 'node:tls';

const [file, folder, web, other] = process.argv.slice(2) as [string, string, string, string];
const note = (what: object): void => appendFileSync(file, `${JSON.stringify(what)}\n`);
process.on('uncaughtException', () => {});

const pem = (name: string): string => readFileSync(join(folder, `${name}.pem`), 'latin1');
const contextOf = (name: string) => createSecureContext({ key: pem('key'), cert: pem(name) });
const tls = (name: string) => ({
  key: pem('key'),
  cert: pem(name),
  SNICallback: (
    asked: string,
    done: (error: Error | null, context?: ReturnType<typeof contextOf>) => void,
  ) => {
    try {
      done(null, contextOf(asked));
    } catch {
      done(null, contextOf(name));
    }
  },
});

const answer: RequestListener = (req, res) => {
  let body = '';
  req.on('data', (b: Buffer) => (body += b.toString('latin1')));
  req.on('end', () => {
    const { url = '', method, headers, rawTrailers } = req;
    note({ at: 'web', method, url, headers, body, rawTrailers });
    const to = new URL(url, 'http://x').searchParams.get('to');
    if (to !== null) res.writeHead(302, { location: to });
    res.end(`saw ${headers.authorization} ${body}\n`);
  });
};
const keep = (socket: Socket): void => {
  let all = '';
  socket.on('error', () => {});
  socket.on('data', (b: Buffer) => {
    all += b.toString('latin1');
    note({ at: 'other', bytes: all });
    if (all.includes('\r\n\r\n'))
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nother\n');
  });
};

plainServer(answer).listen(8080, web);
secureServer(tls('web.example'), answer).listen(443, web);
rawServer(keep).listen(8080, other);
rawTlsServer(tls('other.example'), keep).listen(443, other, () => process.stdout.write('ready\n'));
