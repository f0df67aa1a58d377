import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** Passes connections on to a server, and cuts them when told. */
final class Proxy implements Closeable {
    private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final String server;
    private final List<Socket> sockets = new ArrayList<>();
    private boolean refusing;

    Proxy(String server) throws IOException {
        this.server = server;
        background(this::accept);
    }

    String address() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    /** Ends every connection; the client may connect again at once. */
    synchronized void cut() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        sockets.clear();
    }

    /** Ends every connection and accepts none until `restore`. */
    synchronized void cutAndRefuse() throws IOException {
        refusing = true;
        cut();
    }

    synchronized void restore() {
        refusing = false;
    }

    private void accept() throws IOException {
        while (true) {
            Socket client = listener.accept();
            synchronized (this) {
                if (refusing) {
                    client.close();
                    continue;
                }
                String[] parts = server.split(":");
                Socket onward = new Socket(parts[0], Integer.parseInt(parts[1]));
                sockets.add(client);
                sockets.add(onward);
                background(() -> copy(client, onward));
                background(() -> copy(onward, client));
            }
        }
    }

    private static void copy(Socket from, Socket to) throws IOException {
        try (from; to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            in.transferTo(out);
        }
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void background(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (IOException e) {
                // The connection was cut, or the proxy closed.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }
}
