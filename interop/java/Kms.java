import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.crypto.tink.Aead;
import com.google.crypto.tink.InsecureSecretKeyAccess;
import com.google.crypto.tink.KmsClient;
import com.google.crypto.tink.KmsClients;
import com.google.crypto.tink.RegistryConfiguration;
import com.google.crypto.tink.TinkProtoKeysetFormat;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.util.Base64;

/**
 * The services whose keys are found by their URIs. Tink's own fake one is not in its package for
 * Java, and there is no extension for Key Manager.
 */
final class Kms {
  private interface Open {
    Aead aead(String key) throws GeneralSecurityException;
  }

  static void register() {
    KmsClients.add(new Client("fake-kms://", Kms::fake));
    String secret = System.getenv("SCW_SECRET_KEY");
    if (secret != null) {
      String keys =
          System.getenv("SCW_API_URL")
              + "/key-manager/v1alpha1/regions/"
              + System.getenv("SCW_DEFAULT_REGION")
              + "/keys/";
      HttpClient http = HttpClient.newHttpClient();
      KmsClients.add(new Client("scw-kms://", key -> new ManagedKey(http, keys + key, secret)));
    }
  }

  /** The URI is the keyset. */
  private static Aead fake(String keyset) throws GeneralSecurityException {
    return TinkProtoKeysetFormat.parseKeyset(
            Base64.getUrlDecoder().decode(keyset), InsecureSecretKeyAccess.get())
        .getPrimitive(RegistryConfiguration.get(), Aead.class);
  }

  private static final class Client implements KmsClient {
    private final String scheme;
    private final Open open;

    Client(String scheme, Open open) {
      this.scheme = scheme;
      this.open = open;
    }

    @Override
    public boolean doesSupport(String uri) {
      return uri.startsWith(scheme);
    }

    @Override
    public KmsClient withCredentials(String path) {
      return this;
    }

    @Override
    public KmsClient withDefaultCredentials() {
      return this;
    }

    @Override
    public Aead getAead(String uri) throws GeneralSecurityException {
      return open.aead(uri.substring(scheme.length()));
    }
  }

  /** A key of Key Manager. */
  private static final class ManagedKey implements Aead {
    private final HttpClient http;
    private final String key;
    private final String secret;

    ManagedKey(HttpClient http, String key, String secret) {
      this.http = http;
      this.key = key;
      this.secret = secret;
    }

    @Override
    public byte[] encrypt(byte[] plaintext, byte[] ad) throws GeneralSecurityException {
      return call("encrypt", "plaintext", plaintext, ad, "ciphertext");
    }

    @Override
    public byte[] decrypt(byte[] ciphertext, byte[] ad) throws GeneralSecurityException {
      return call("decrypt", "ciphertext", ciphertext, ad, "plaintext");
    }

    private byte[] call(String method, String name, byte[] input, byte[] ad, String result)
        throws GeneralSecurityException {
      JsonObject body = new JsonObject();
      body.addProperty(name, Base64.getEncoder().encodeToString(input));
      body.addProperty(
          "associated_data", Base64.getEncoder().encodeToString(ad == null ? new byte[0] : ad));
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(key + "/" + method))
              .header("X-Auth-Token", secret)
              .header("Content-Type", "application/json")
              .POST(HttpRequest.BodyPublishers.ofString(body.toString(), UTF_8))
              .build();
      try {
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString(UTF_8));
        if (answer.statusCode() != 200) {
          throw new GeneralSecurityException(method + ": status " + answer.statusCode());
        }
        JsonObject found = JsonParser.parseString(answer.body()).getAsJsonObject();
        return Base64.getDecoder().decode(found.get(result).getAsString());
      } catch (IOException failure) {
        throw new GeneralSecurityException(method, failure);
      } catch (InterruptedException failure) {
        Thread.currentThread().interrupt();
        throw new GeneralSecurityException(method, failure);
      }
    }
  }
}
