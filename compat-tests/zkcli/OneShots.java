import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.zookeeper.ZooKeeperMain;
import org.apache.zookeeper.util.ServiceUtils;

/**
 * Runs the command line client once per line of standard input, in one JVM. Words are separated by
 * tabs. Prints, per command, the lines of its output with "out " or "err " before them, and then
 * "exit CODE".
 */
public final class OneShots {
    /** Ends one command where the process would end. */
    static final class Exit extends Error {
        final int code;

        Exit(int code) {
            this.code = code;
        }
    }

    public static void main(String[] args) throws Exception {
        ServiceUtils.setSystemExitProcedure(code -> {
            throw new Exit(code);
        });
        PrintStream report = System.out;
        // The commands keep the streams that they find first, so these stay for all of them.
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(new WholeLines(out), true, "UTF-8"));
        System.setErr(new PrintStream(new WholeLines(err), true, "UTF-8"));
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String line;
        while ((line = input.readLine()) != null) {
            List<String> words = new ArrayList<>(Arrays.asList("-server", args[0]));
            words.addAll(Arrays.asList(line.split("\t", -1)));
            int code = run(words.toArray(new String[0]));
            // The last line may have no end.
            System.out.println();
            System.err.println();
            print(report, "out ", out);
            print(report, "err ", err);
            report.println("exit " + code);
            report.flush();
        }
        // Connections of the commands are still open, as they are when a process just ends.
        Runtime.getRuntime().halt(0);
    }

    private static int run(String[] words) {
        try {
            ZooKeeperMain.main(words);
            return 0;
        } catch (Exit exit) {
            return exit.code;
        } catch (Exception error) {
            // An exception out of main ends a JVM with this code, and the exception is printed.
            System.err.println("Exception in thread \"main\" " + error);
            return 1;
        }
    }

    private static void print(PrintStream report, String mark, ByteArrayOutputStream output) {
        String text;
        synchronized (output) {
            text = new String(output.toByteArray(), StandardCharsets.UTF_8);
            output.reset();
        }
        for (String line : text.split("\n")) {
            report.println(mark + line);
        }
    }
}
