import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/**
 * Passes on what is printed when a line is complete. The command line client prints of watches and
 * connections in threads of their own, at any moment, and so even in the middle of a line.
 */
final class WholeLines extends OutputStream {
    private final OutputStream out;
    private final ThreadLocal<ByteArrayOutputStream> line =
        ThreadLocal.withInitial(ByteArrayOutputStream::new);

    WholeLines(OutputStream out) {
        this.out = out;
    }

    @Override
    public void write(int b) throws IOException {
        ByteArrayOutputStream begun = line.get();
        begun.write(b);
        if (b == '\n') {
            synchronized (out) {
                begun.writeTo(out);
                out.flush();
            }
            begun.reset();
        }
    }
}
