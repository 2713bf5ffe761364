package speed;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.crypto.tink.Aead;
import com.google.crypto.tink.DeterministicAead;
import com.google.crypto.tink.InsecureSecretKeyAccess;
import com.google.crypto.tink.KeyTemplates;
import com.google.crypto.tink.KeysetHandle;
import com.google.crypto.tink.Mac;
import com.google.crypto.tink.RegistryConfiguration;
import com.google.crypto.tink.SecretKeyAccess;
import com.google.crypto.tink.StreamingAead;
import com.google.crypto.tink.TinkJsonProtoKeysetFormat;
import com.google.crypto.tink.TinkProtoKeysetFormat;
import com.google.crypto.tink.Version;
import com.google.crypto.tink.aead.AeadParameters;
import com.google.crypto.tink.aead.KmsEnvelopeAead;
import com.google.crypto.tink.aead.PredefinedAeadParameters;
import com.google.crypto.tink.config.TinkConfig;
import com.google.crypto.tink.keyderivation.KeyDerivationConfig;
import com.google.crypto.tink.keyderivation.KeysetDeriver;
import com.google.crypto.tink.prf.PrfConfig;
import com.google.crypto.tink.prf.PrfSet;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.security.GeneralSecurityException;
import java.security.Security;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.conscrypt.Conscrypt;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Times the official tink-java with JMH, as interop/bench asks. The protocol is that of
 * ../rust/src/main.rs.
 *
 * <p>JMH runs in this process, so that rounds of others come between its iterations. The process is
 * started again for each template, so that one template's calls do not spoil what the compiler
 * knows of another's.
 */
public class Calls {
  private static final SecretKeyAccess ACCESS = InsecureSecretKeyAccess.get();
  private static final byte[] DATA = new byte[16];

  static {
    Arrays.fill(DATA, (byte) 7);
  }

  private interface Call {
    Object run() throws Exception;
  }

  private record Timed(Call call, int threads) {}

  /** What the benchmark calls. */
  private static Call current;

  /** One call. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  @OutputTimeUnit(TimeUnit.NANOSECONDS)
  public Object call() throws Exception {
    return current.run();
  }

  /** Serves requests until there are no more. */
  public static void main(String[] arguments) throws Exception {
    // JMH writes to the standard output.
    PrintStream out = System.out;
    System.setOut(System.err);
    boolean conscrypt = Boolean.getBoolean("conscrypt");
    if (conscrypt) {
      Security.insertProviderAt(Conscrypt.newProvider(), 1);
    }
    TinkConfig.register();
    PrfConfig.register();
    KeyDerivationConfig.register();
    List<Timed> prepared = new ArrayList<>();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonObject asked = JsonParser.parseString(line).getAsJsonObject();
      JsonObject answer = new JsonObject();
      switch (asked.get("op").getAsString()) {
        case "info":
          JsonArray subjects = new JsonArray();
          subjects.add(conscrypt ? "tink-java with Conscrypt" : "tink-java");
          answer.add("subjects", subjects);
          answer.add("versions", versions(conscrypt));
          break;
        case "prepare":
          try {
            Call call = prepare(asked);
            call.run();
            prepared.add(new Timed(call, asked.get("threads").getAsInt()));
            answer.addProperty("id", prepared.size() - 1);
          } catch (Exception hole) {
            answer.addProperty("hole", String.valueOf(hole.getMessage()));
          }
          break;
        case "round":
          Timed timed = prepared.get(asked.get("id").getAsInt());
          answer.addProperty("ns", round(timed, asked.get("seconds").getAsDouble()));
          break;
        case "forget":
          prepared.clear();
          break;
        default:
          throw new IllegalArgumentException(line);
      }
      out.println(answer);
      out.flush();
    }
  }

  private static JsonObject versions(boolean conscrypt) {
    JsonObject versions = new JsonObject();
    versions.addProperty("tink-java", Version.TINK_VERSION);
    versions.addProperty("java", System.getProperty("java.runtime.version"));
    if (conscrypt) {
      Conscrypt.Version version = Conscrypt.version();
      versions.addProperty(
          "conscrypt", version.major() + "." + version.minor() + "." + version.patch());
    }
    return versions;
  }

  /** Returns nanoseconds of wall time for each call, of all threads together. */
  private static double round(Timed timed, double seconds) throws RunnerException {
    current = timed.call();
    OptionsBuilder options = new OptionsBuilder();
    options
        .include("^speed\\.Calls\\.call$")
        .forks(0)
        .warmupIterations(0)
        .measurementIterations(1)
        .measurementTime(TimeValue.microseconds((long) (seconds * 1e6)))
        .threads(timed.threads())
        .verbosity(VerboseMode.SILENT);
    return new Runner(options.build()).runSingle().getPrimaryResult().getScore() / timed.threads();
  }

  private static KeysetHandle load(byte[] file) throws GeneralSecurityException {
    return TinkProtoKeysetFormat.parseKeyset(file, ACCESS);
  }

  private static byte[] bytes(JsonObject asked, String name) {
    return asked.has(name) ? Base64.getDecoder().decode(asked.get(name).getAsString()) : new byte[0];
  }

  private static <P> P primitive(KeysetHandle handle, Class<P> type)
      throws GeneralSecurityException {
    return handle.getPrimitive(RegistryConfiguration.get(), type);
  }

  private static Call prepare(JsonObject asked) throws Exception {
    byte[] file = bytes(asked, "keyset");
    byte[] message = new byte[asked.get("size").getAsInt()];
    Arrays.fill(message, (byte) 0x5a);
    String direction = asked.get("direction").getAsString();
    switch (asked.get("what").getAsString()) {
      case "aead":
        return aead(file, bytes(asked, "writer"), message, direction);
      case "daead":
        DeterministicAead daead = primitive(load(file), DeterministicAead.class);
        byte[] sealed = daead.encryptDeterministically(message, DATA);
        return direction.equals("encrypt")
            ? () -> daead.encryptDeterministically(message, DATA)
            : () -> daead.decryptDeterministically(sealed, DATA);
      case "mac":
        Mac mac = primitive(load(file), Mac.class);
        byte[] tag = mac.computeMac(message);
        if (direction.equals("compute")) {
          return () -> mac.computeMac(message);
        }
        return () -> {
          mac.verifyMac(tag, message);
          return tag;
        };
      case "prf":
        PrfSet prf = primitive(load(file), PrfSet.class);
        return () -> prf.computePrimary(message, 16);
      case "stream":
        return stream(primitive(load(file), StreamingAead.class), message, direction);
      case "envelope":
        AeadParameters dek = PredefinedAeadParameters.AES256_GCM;
        return both(
            KmsEnvelopeAead.create(dek, primitive(load(file), Aead.class)), message, direction);
      case "make":
        KeysetHandle handle = load(file);
        return () -> primitive(handle, Aead.class);
      case "load":
        if (direction.equals("json")) {
          String json = TinkJsonProtoKeysetFormat.serializeKeyset(load(file), ACCESS);
          return () -> TinkJsonProtoKeysetFormat.parseKeyset(json, ACCESS);
        }
        return () -> load(file);
      case "create":
        return () -> KeysetHandle.generateNew(KeyTemplates.get("AES256_GCM"));
      case "derive":
        KeysetDeriver deriver = primitive(load(file), KeysetDeriver.class);
        return () -> deriver.deriveKeyset(DATA);
      default:
        throw new GeneralSecurityException("it has none");
    }
  }

  private static Call aead(byte[] file, byte[] writer, byte[] message, String direction)
      throws GeneralSecurityException {
    Aead aead = primitive(load(file), Aead.class);
    if (writer.length == 0) {
      return both(aead, message, direction);
    }
    byte[] ciphertext = primitive(load(writer), Aead.class).encrypt(message, DATA);
    return () -> aead.decrypt(ciphertext, DATA);
  }

  private static Call both(Aead aead, byte[] message, String direction)
      throws GeneralSecurityException {
    byte[] ciphertext = aead.encrypt(message, DATA);
    switch (direction) {
      case "encrypt":
        return () -> aead.encrypt(message, DATA);
      case "decrypt":
        return () -> aead.decrypt(ciphertext, DATA);
      default:
        byte[] other = {1};
        return () -> {
          try {
            return aead.decrypt(ciphertext, other);
          } catch (GeneralSecurityException refused) {
            return refused;
          }
        };
    }
  }

  private static Call stream(StreamingAead aead, byte[] message, String direction)
      throws Exception {
    Call seal =
        () -> {
          int room = message.length + message.length / 100 + 4096;
          ByteArrayOutputStream out = new ByteArrayOutputStream(room);
          try (OutputStream stream = aead.newEncryptingStream(out, DATA)) {
            stream.write(message);
          }
          return out.toByteArray();
        };
    if (direction.equals("encrypt")) {
      return seal;
    }
    if (!direction.equals("decrypt")) {
      throw new GeneralSecurityException("it has none");
    }
    byte[] sealed = (byte[]) seal.run();
    return () -> {
      byte[] opened = new byte[message.length];
      try (InputStream stream =
          aead.newDecryptingStream(new ByteArrayInputStream(sealed), DATA)) {
        stream.readNBytes(opened, 0, opened.length);
      }
      return opened;
    };
  }
}
