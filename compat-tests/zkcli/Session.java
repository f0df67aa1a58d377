import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import org.apache.zookeeper.ZooKeeperMain;
import org.apache.zookeeper.util.ServiceUtils;

/** The command line client, whose lines of output stay whole. */
public final class Session {
    public static void main(String[] args) throws Exception {
        FileOutputStream out = new FileOutputStream(FileDescriptor.out);
        System.setOut(new PrintStream(new WholeLines(out), true, "UTF-8"));
        ServiceUtils.setSystemExitProcedure(code -> {
            // The last line may have no end.
            System.out.println();
            Runtime.getRuntime().halt(code);
        });
        ZooKeeperMain.main(args);
        System.out.println();
    }
}
