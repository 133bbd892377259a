// Runs the conformance kit against the connector that the properties file names; one line per test, and the exit code.

import java.io.FileReader;
import java.util.HashMap;
import java.util.Properties;
import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.dsp.system.DspSystemLauncher;
import org.eclipse.dataspacetck.runtime.TckRuntime;

public class Tck {
    public static void main(String[] arguments) throws Exception {
        var read = new Properties();
        try (var reader = new FileReader(arguments[0])) {
            read.load(reader);
        }
        var properties = new HashMap<String, String>();
        read.forEach((key, value) -> properties.put((String) key, (String) value));
        var summary = TckRuntime.Builder.newInstance()
                .properties(properties)
                .addPackage("org.eclipse.dataspacetck.dsp.verification")
                .launcher(DspSystemLauncher.class)
                .monitor(new ConsoleMonitor(false, false))
                .build()
                .execute();
        summary.getFailures().forEach(failure -> System.out.println(
                "FAILURE " + failure.getTestIdentifier().getDisplayName() + " | "
                        + String.valueOf(failure.getException()).replaceAll("\\s+", " ")));
        System.out.println("RESULT found=" + summary.getTestsFoundCount()
                + " passed=" + summary.getTestsSucceededCount()
                + " failed=" + summary.getTestsFailedCount()
                + " aborted=" + summary.getTestsAbortedCount()
                + " skipped=" + summary.getTestsSkippedCount());
        System.exit(summary.getTestsFailedCount() == 0 ? 0 : 1);
    }
}
