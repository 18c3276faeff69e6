// What a bulk stream costs our TCP alone: two endpoints in one process, on a local path (as loopback is), each write of 64 KiB copied in
// and out once. node dist/bench/tcp_stream.js [MB] [WRITE_BYTES]; prints MB/s, also by cpu time (other work on the machine does not count then), and packets per 64 KiB. With --cpu-prof it tells where time goes.

import type { IpAddress } from '../src/net/address.ts';
import type { ByteSink, ByteSource } from '../src/net/endpoint.ts';
import type { Packet } from '../src/net/packet.ts';
import type { Flow, NetworkLayer, Path } from '../src/net/path.ts';
import type { TcpEndpoint } from '../src/net/tcp/endpoint.ts';
import { ADDRESS, SeededRandom } from '../src/net/tcp/pair.test.helper.ts';
import { TcpProtocol } from '../src/net/tcp/protocol.ts';
import type { NetClock, NetTimer } from '../src/net/time.ts';

const megabytes = Number(process.argv[2] ?? 2000);
const writeSize = Number(process.argv[3] ?? 65536);

/** The host's clock; timers are kept and never fire: nothing is lost here. */
class Clock implements NetClock {
  realtimeMs(): number {
    return Date.now();
  }

  monotonicNs(): number {
    return performance.now() * 1e6;
  }
  arm(timer: NetTimer, deadlineNs: number): void {
    timer.index = 0;
    timer.deadlineNs = deadlineNs;
  }
  cancel(timer: NetTimer): void {
    timer.index = -1;
  }
}

/** Hands a packet over as it is, as the loopback link does. */
class Loop implements NetworkLayer {
  generation = 1;
  packets = 0;
  tcp: TcpProtocol | null = null;

  route(flow: Flow): Path {
    const src: IpAddress = flow.src.isAny ? ADDRESS[0] : flow.src;
    return {
      src,
      dst: flow.dst,
      ifindex: 1,
      mtu: 65536,
      local: true,
      broadcast: false,
      gso: 65536,
      generation: this.generation,
    };
  }

  bindable(address: IpAddress): boolean {
    return address.equals(ADDRESS[0]);
  }

  output(packet: Packet, path: Path): number {
    packet.src = path.src;
    packet.dst = path.dst;
    this.packets++;
    this.tcp!.input(packet);
    return 0;
  }
}

class Source implements ByteSource {
  remaining = 0;
  private readonly bytes = new Uint8Array(writeSize).fill(7);
  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.remaining);
    dst.set(this.bytes.subarray(0, n), off);
    this.remaining -= n;
    return n;
  }
}

class Sink implements ByteSink {
  remaining = 0;
  private readonly bytes = new Uint8Array(1 << 20);
  put(src: Uint8Array, off: number, len: number): number {
    this.bytes.set(off === 0 && len === src.length ? src : src.subarray(off, off + len), 0);
    this.remaining -= len;
    return len;
  }
}

const layer = new Loop();
const tcp = new TcpProtocol(layer, new Clock(), new SeededRandom(7));
layer.tcp = tcp;
const listener = tcp.open(false);
listener.bind(ADDRESS[0], 80);
listener.listen(1);
const client = tcp.open(false);
client.connect(ADDRESS[0], 80);
const server = listener.accept() as TcpEndpoint;

const total = megabytes * 1e6;
const source = new Source();
const sink = new Sink();
let sent = 0;
let got = 0;
layer.packets = 0;
const start = performance.now();
const before = process.cpuUsage();
while (got < total) {
  while (sent < total) {
    source.remaining = writeSize;
    const n = client.send(source, 0);
    if (n <= 0) break;
    sent += n;
  }
  for (;;) {
    sink.remaining = 65536;
    const n = server.receive(sink, 0, 0);
    if (n <= 0) break;
    got += n;
  }
}
const seconds = (performance.now() - start) / 1000;
const used = process.cpuUsage(before);
const cpuSeconds = (used.user + used.system) / 1e6;
console.log(
  `${(got / 1e6 / seconds).toFixed(0)} MB/s, ${(got / 1e6 / cpuSeconds).toFixed(0)} MB a second of cpu time, ${((layer.packets * 65536) / got).toFixed(2)} packets per 64 KiB, receive buffer ${server.tcb.options.rcvBuf}, send buffer ${client.tcb.options.sndBuf}`,
);
