// Starts an Eclipse EDC connector, with a public endpoint for pulls beside it: EDC's own is not among the artefacts that Maven
// Central has for this version. References and tokens are EDC's; this only asks EDC whom a token belongs to, and passes bytes on.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.Executors;
import org.eclipse.edc.boot.system.runtime.BaseRuntime;
import org.eclipse.edc.connector.dataplane.spi.Endpoint;
import org.eclipse.edc.connector.dataplane.spi.iam.DataPlaneAuthorizationService;
import org.eclipse.edc.connector.dataplane.spi.iam.PublicEndpointGeneratorService;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;

public class Edc {
    public static void main(String[] arguments) {
        BaseRuntime.main(arguments);
    }

    public static class Pull implements ServiceExtension {
        @Inject private PublicEndpointGeneratorService endpoints;
        @Inject private DataPlaneAuthorizationService tokens;
        @Inject private Vault vault;

        private final HttpClient client = HttpClient.newHttpClient();
        private HttpServer server;

        @Override
        public void initialize(ServiceExtensionContext context) {
            signWithNewKeys();
            int port = context.getConfig().getInteger("datalab.pull.port");
            endpoints.addGeneratorFunction("HttpData", address -> Endpoint.url("http://127.0.0.1:" + port + "/public"));
            try {
                server = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 0);
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
            server.setExecutor(Executors.newCachedThreadPool(task -> {
                Thread thread = new Thread(task);
                thread.setDaemon(true);
                return thread;
            }));
            server.createContext("/public", this::answer);
            server.start();
        }

        private void signWithNewKeys() {
            try {
                KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
                generator.initialize(256);
                var keys = generator.generateKeyPair();
                vault.storeSecret("private-key", pem("PRIVATE KEY", keys.getPrivate()));
                vault.storeSecret("public-key", pem("PUBLIC KEY", keys.getPublic()));
            } catch (GeneralSecurityException error) {
                throw new IllegalStateException(error);
            }
        }

        private static String pem(String kind, Key key) {
            String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key.getEncoded());
            return "-----BEGIN " + kind + "-----\n" + body + "\n-----END " + kind + "-----\n";
        }

        private void answer(HttpExchange exchange) throws IOException {
            try (exchange) {
                String token = exchange.getRequestHeaders().getFirst("Authorization");
                var found = token == null ? null : tokens.authorize(token, Map.of());
                if (found == null || found.failed()) {
                    exchange.sendResponseHeaders(token == null ? 401 : 403, -1);
                    return;
                }
                var request = HttpRequest.newBuilder(URI.create(found.getContent().getStringProperty("baseUrl")));
                String range = exchange.getRequestHeaders().getFirst("Range");
                if (range != null) {
                    request.header("Range", range);
                }
                var told = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
                told.headers().firstValue("content-range").ifPresent(span -> exchange.getResponseHeaders().set("Content-Range", span));
                exchange.sendResponseHeaders(told.statusCode(), told.headers().firstValueAsLong("content-length").orElse(0));
                told.body().transferTo(exchange.getResponseBody());
            } catch (InterruptedException error) {
                throw new IOException(error);
            }
        }
    }
}
