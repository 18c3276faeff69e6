// What Java's own network classes do with each other, on loopback: java Peer.java
import com.sun.net.httpserver.HttpServer;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Peer {
  static final byte[] LONG = new byte[5_000_000];

  static void http() throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.createContext("/", x -> {
      byte[] body = x.getRequestBody().readAllBytes();
      x.getResponseHeaders().set("X-Got", String.valueOf(body.length));
      x.sendResponseHeaders(200, 0);
      try (OutputStream o = x.getResponseBody()) { o.write(body.length == 0 ? "hello".getBytes() : body); }
    });
    server.start();
    URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
    HttpClient client = HttpClient.newHttpClient();
    System.out.println(client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString()).body());
    HttpResponse<byte[]> r = client.send(HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(LONG)).build(), HttpResponse.BodyHandlers.ofByteArray());
    System.out.println(r.statusCode() + " " + Arrays.equals(r.body(), LONG));
    List<CompletableFuture<String>> all = new ArrayList<>();
    for (int i = 0; i < 200; i++)
      all.add(client.sendAsync(HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofString("n" + i)).build(), HttpResponse.BodyHandlers.ofString()).thenApply(HttpResponse::body));
    System.out.println(all.stream().map(CompletableFuture::join).collect(Collectors.joining()).length());
    System.out.println(new String(new URL(uri.toString()).openStream().readAllBytes()));
    server.stop(0);
  }

  static void channels() throws Exception {
    Selector selector = Selector.open();
    ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress("::1", 0));
    listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
    int port = ((InetSocketAddress) listener.getLocalAddress()).getPort();
    Thread echo = new Thread(() -> {
      try {
        ByteBuffer b = ByteBuffer.allocateDirect(65536);
        while (selector.isOpen()) {
          selector.select();
          for (Iterator<SelectionKey> it = selector.selectedKeys().iterator(); it.hasNext(); ) {
            SelectionKey k = it.next();
            it.remove();
            if (k.isAcceptable()) {
              listener.accept().configureBlocking(false).register(selector, SelectionKey.OP_READ);
              continue;
            }
            SocketChannel c = (SocketChannel) k.channel();
            b.clear();
            if (c.read(b) < 0) { c.close(); continue; }
            b.flip();
            while (b.hasRemaining()) c.write(b);
          }
        }
      } catch (ClosedSelectorException | IOException e) { }
    });
    echo.setDaemon(true);
    echo.start();
    ExecutorService pool = Executors.newFixedThreadPool(10);
    List<Future<Boolean>> done = new ArrayList<>();
    for (int i = 0; i < 20; i++)
      done.add(pool.submit(() -> {
        try (Socket s = new Socket("::1", port)) {
          s.setTcpNoDelay(true);
          byte[] out = new byte[100_000], in = new byte[100_000];
          new Random(1).nextBytes(out);
          new Thread(() -> { try { s.getOutputStream().write(out); } catch (IOException e) { } }).start();
          new DataInputStream(s.getInputStream()).readFully(in);
          return Arrays.equals(in, out);
        }
      }));
    int good = 0;
    for (Future<Boolean> f : done) if (f.get()) good++;
    System.out.println("echoed " + good);
    pool.shutdown();
    selector.close();
    AsynchronousServerSocketChannel a = AsynchronousServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
    Future<AsynchronousSocketChannel> coming = a.accept();
    AsynchronousSocketChannel c = AsynchronousSocketChannel.open();
    c.connect(a.getLocalAddress()).get();
    c.write(ByteBuffer.wrap("async".getBytes())).get();
    ByteBuffer got = ByteBuffer.allocate(10);
    System.out.println("async " + coming.get().read(got).get());
    c.close();
  }

  static void datagrams() throws Exception {
    try (DatagramSocket a = new DatagramSocket(0, InetAddress.getByName("127.0.0.1")); DatagramSocket b = new DatagramSocket()) {
      a.setSoTimeout(5000);
      b.send(new DatagramPacket("datagram".getBytes(), 8, a.getLocalSocketAddress()));
      DatagramPacket p = new DatagramPacket(new byte[20], 20);
      a.receive(p);
      System.out.println(new String(p.getData(), 0, p.getLength()));
    }
    NetworkInterface lo = NetworkInterface.getByName("lo");
    InetAddress group = InetAddress.getByName("239.1.2.3");
    DatagramChannel m = DatagramChannel.open(StandardProtocolFamily.INET).setOption(StandardSocketOptions.SO_REUSEADDR, true).bind(new InetSocketAddress(0));
    m.setOption(StandardSocketOptions.IP_MULTICAST_IF, lo);
    m.join(group, lo);
    m.send(ByteBuffer.wrap("many".getBytes()), new InetSocketAddress(group, ((InetSocketAddress) m.getLocalAddress()).getPort()));
    ByteBuffer got = ByteBuffer.allocate(10);
    m.receive(got);
    System.out.println("multicast " + got.position());
  }

  static void errors() throws Exception {
    try { new Socket("127.0.0.1", 9); } catch (ConnectException e) { System.out.println(e.getMessage()); }
    ServerSocket s = new ServerSocket(0);
    try { new ServerSocket(s.getLocalPort()); } catch (BindException e) { System.out.println(e.getMessage()); }
    s.setSoTimeout(50);
    try { s.accept(); } catch (SocketTimeoutException e) { System.out.println(e.getMessage()); }
    Socket c = new Socket("127.0.0.1", s.getLocalPort());
    s.setSoTimeout(0);
    Socket d = s.accept();
    c.setSoLinger(true, 0);
    c.close();
    Thread.sleep(100);
    try { d.getInputStream().read(); } catch (SocketException e) { System.out.println(e.getMessage()); }
    Socket e1 = new Socket("127.0.0.1", s.getLocalPort());
    Thread t = new Thread(() -> { try { e1.getInputStream().read(); } catch (IOException e) { System.out.println(e.getMessage()); } });
    t.start();
    Thread.sleep(200);
    e1.close();
    t.join();
    System.out.println(InetAddress.getByName("127.0.0.1").isReachable(1000));
    for (NetworkInterface n : Collections.list(NetworkInterface.getNetworkInterfaces()))
      System.out.println(n.getName() + " " + n.isUp() + " " + n.isLoopback() + " " + n.getInterfaceAddresses());
  }

  public static void main(String[] args) throws Exception {
    for (int i = 0; i < LONG.length; i++) LONG[i] = (byte) (i * 31);
    http();
    channels();
    datagrams();
    errors();
    System.exit(0);
  }
}
