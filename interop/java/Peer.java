import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.crypto.tink.Aead;
import com.google.crypto.tink.Configuration;
import com.google.crypto.tink.DeterministicAead;
import com.google.crypto.tink.InsecureSecretKeyAccess;
import com.google.crypto.tink.KeyTemplate;
import com.google.crypto.tink.KeyTemplates;
import com.google.crypto.tink.KeysetHandle;
import com.google.crypto.tink.Mac;
import com.google.crypto.tink.Registry;
import com.google.crypto.tink.RegistryConfiguration;
import com.google.crypto.tink.SecretKeyAccess;
import com.google.crypto.tink.StreamingAead;
import com.google.crypto.tink.TinkJsonProtoKeysetFormat;
import com.google.crypto.tink.TinkProtoKeysetFormat;
import com.google.crypto.tink.Version;
import com.google.crypto.tink.aead.KmsAeadConfig2026;
import com.google.crypto.tink.config.TinkConfig;
import com.google.crypto.tink.config.TinkConfig2026;
import com.google.crypto.tink.keyderivation.KeyDerivationConfig;
import com.google.crypto.tink.keyderivation.KeyDerivationConfig2026;
import com.google.crypto.tink.keyderivation.KeysetDeriver;
import com.google.crypto.tink.prf.Prf;
import com.google.crypto.tink.prf.PrfConfig;
import com.google.crypto.tink.prf.PrfSet;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Security;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;
import org.conscrypt.Conscrypt;

/**
 * Answers the lab's requests with the official Java library of Tink. See ../README.md.
 *
 * <p>With the property {@code configuration=2026}, keysets are parsed and primitives made with the
 * configurations of that year. They are stricter than the registry.
 */
public final class Peer {
  private static final SecretKeyAccess ACCESS = InsecureSecretKeyAccess.get();
  private static final boolean OF_2026 = "2026".equals(System.getProperty("configuration"));
  private static final int IN_LINE = 65_536;

  private static Path folder;
  private static int written;

  /** The library said no; {@code stage} is where. */
  private static final class Refused extends Exception {
    final String stage;

    Refused(String stage, Exception cause) {
      super(cause.getClass().getSimpleName() + ": " + cause.getMessage(), cause);
      this.stage = stage;
    }
  }

  private interface Call<T> {
    T run() throws GeneralSecurityException, IOException;
  }

  /** Calls the library. It throws exceptions of many kinds at bad input; all are refusals. */
  private static <T> T at(String stage, Call<T> call) throws Refused {
    try {
      return call.run();
    } catch (GeneralSecurityException | IOException | RuntimeException refusal) {
      throw new Refused(stage, refusal);
    }
  }

  /** What makes outputs, and takes them. */
  private interface Primitive {
    byte[] produce(JsonObject message) throws GeneralSecurityException, IOException;

    byte[] consume(JsonObject message) throws GeneralSecurityException, IOException;
  }

  private interface Open {
    Primitive of(KeysetHandle handle) throws GeneralSecurityException;
  }

  private static final Map<String, Open> PRIMITIVES =
      new TreeMap<>(
          Map.of(
              "aead", Peer::aead,
              "kms", Peer::aead,
              "envelope", Peer::aead,
              "daead", Peer::daead,
              "mac", Peer::mac,
              "prf", Peer::prf,
              "deriver", Peer::deriver,
              "streaming", Peer::streaming));

  private static <P> P primitive(KeysetHandle handle, Class<P> type)
      throws GeneralSecurityException {
    return handle.getPrimitive(configuration(type), type);
  }

  /** Returns what a program names that uses one primitive. */
  private static Configuration configuration(Class<?> primitive) throws GeneralSecurityException {
    if (!OF_2026) {
      return RegistryConfiguration.get();
    }
    return primitive == KeysetDeriver.class
        ? KeyDerivationConfig2026.get()
        : remote ? KmsAeadConfig2026.getUsingGlobalKmsClients() : TinkConfig2026.get();
  }

  /** Whether the keyset of a request has keys of a KMS, which have a configuration of their own. */
  private static boolean remote;

  private interface Parse {
    KeysetHandle with(Configuration configuration) throws GeneralSecurityException;
  }

  /** Parses a keyset as the program does that uses it: the old road names no configuration. */
  private static KeysetHandle parsed(Call<KeysetHandle> old, Parse parse)
      throws GeneralSecurityException, IOException {
    if (!OF_2026) {
      return old.run();
    }
    return parse.with(configuration(primitive));
  }

  /** What the keyset of a request is for. */
  private static Class<?> primitive = Aead.class;

  private static Primitive aead(KeysetHandle handle) throws GeneralSecurityException {
    Aead aead = primitive(handle, Aead.class);
    return new Primitive() {
      @Override
      public byte[] produce(JsonObject message) throws GeneralSecurityException, IOException {
        return aead.encrypt(bytes(message, "input"), bytes(message, "associated_data"));
      }

      @Override
      public byte[] consume(JsonObject message) throws GeneralSecurityException, IOException {
        return aead.decrypt(bytes(message, "output"), bytes(message, "associated_data"));
      }
    };
  }

  private static Primitive daead(KeysetHandle handle) throws GeneralSecurityException {
    DeterministicAead daead = primitive(handle, DeterministicAead.class);
    return new Primitive() {
      @Override
      public byte[] produce(JsonObject message) throws GeneralSecurityException, IOException {
        return daead.encryptDeterministically(
            bytes(message, "input"), bytes(message, "associated_data"));
      }

      @Override
      public byte[] consume(JsonObject message) throws GeneralSecurityException, IOException {
        return daead.decryptDeterministically(
            bytes(message, "output"), bytes(message, "associated_data"));
      }
    };
  }

  private static Primitive streaming(KeysetHandle handle) throws GeneralSecurityException {
    StreamingAead streaming = primitive(handle, StreamingAead.class);
    return new Primitive() {
      @Override
      public byte[] produce(JsonObject message) throws GeneralSecurityException, IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] ad = bytes(message, "associated_data");
        try (OutputStream stream = streaming.newEncryptingStream(out, ad)) {
          stream.write(bytes(message, "input"));
        }
        return out.toByteArray();
      }

      @Override
      public byte[] consume(JsonObject message) throws GeneralSecurityException, IOException {
        byte[] ciphertext = bytes(message, "output");
        byte[] ad = bytes(message, "associated_data");
        byte[] plaintext;
        try (InputStream stream =
            streaming.newDecryptingStream(new ByteArrayInputStream(ciphertext), ad)) {
          plaintext = stream.readAllBytes();
        }
        // Of several keys, a channel takes the first one that fits the length alone.
        if (handle.size() == 1) {
          seek(streaming, ciphertext, ad, plaintext);
        }
        return plaintext;
      }
    };
  }

  /** Reads the same plaintext at several positions: the channel must give what the stream gave. */
  private static void seek(StreamingAead streaming, byte[] ciphertext, byte[] ad, byte[] plaintext)
      throws GeneralSecurityException, IOException {
    Path file = Files.createTempFile("stream", null);
    try {
      Files.write(file, ciphertext);
      try (SeekableByteChannel channel =
          streaming.newSeekableDecryptingChannel(Files.newByteChannel(file), ad)) {
        int size = plaintext.length;
        for (int position : new int[] {Math.max(size - 7, 0), size / 2, 0}) {
          channel.position(position);
          ByteBuffer part = ByteBuffer.allocate(Math.min(5000, size - position));
          while (part.hasRemaining() && channel.read(part) >= 0) {}
          byte[] expected = Arrays.copyOfRange(plaintext, position, position + part.position());
          byte[] found = Arrays.copyOf(part.array(), part.position());
          if (part.hasRemaining() || !Arrays.equals(found, expected)) {
            throw new GeneralSecurityException("the seekable channel reads something else");
          }
        }
      }
    } finally {
      Files.delete(file);
    }
  }

  private static Primitive mac(KeysetHandle handle) throws GeneralSecurityException {
    Mac mac = primitive(handle, Mac.class);
    return new Primitive() {
      @Override
      public byte[] produce(JsonObject message) throws GeneralSecurityException, IOException {
        return mac.computeMac(bytes(message, "input"));
      }

      @Override
      public byte[] consume(JsonObject message) throws GeneralSecurityException, IOException {
        byte[] data = bytes(message, "input");
        mac.verifyMac(bytes(message, "output"), data);
        return data;
      }
    };
  }

  /** As many bytes as asked for; what any key of the set computes is taken. */
  private static Primitive prf(KeysetHandle handle) throws GeneralSecurityException {
    PrfSet set = primitive(handle, PrfSet.class);
    return new Primitive() {
      @Override
      public byte[] produce(JsonObject message) throws GeneralSecurityException, IOException {
        return set.computePrimary(bytes(message, "input"), length(message));
      }

      @Override
      public byte[] consume(JsonObject message) throws GeneralSecurityException, IOException {
        byte[] data = bytes(message, "input");
        for (Prf prf : set.getPrfs().values()) {
          if (computes(prf, data, length(message), bytes(message, "output"))) {
            return data;
          }
        }
        throw new GeneralSecurityException("no key of the set computes this");
      }
    };
  }

  private static boolean computes(Prf prf, byte[] data, int length, byte[] output) {
    try {
      return Arrays.equals(prf.compute(data, length), output);
    } catch (GeneralSecurityException tooLong) {
      return false;
    }
  }

  private static int length(JsonObject message) {
    return message.has("length") ? message.get("length").getAsInt() : 16;
  }

  /** The derived keyset; it is taken if it is the same when it is derived again. */
  private static Primitive deriver(KeysetHandle handle) throws GeneralSecurityException {
    KeysetDeriver deriver = primitive(handle, KeysetDeriver.class);
    return new Primitive() {
      @Override
      public byte[] produce(JsonObject message) throws GeneralSecurityException, IOException {
        return TinkProtoKeysetFormat.serializeKeyset(
            deriver.deriveKeyset(bytes(message, "input")), ACCESS);
      }

      @Override
      public byte[] consume(JsonObject message) throws GeneralSecurityException, IOException {
        KeysetHandle given = TinkProtoKeysetFormat.parseKeyset(bytes(message, "output"), ACCESS);
        byte[] again = TinkProtoKeysetFormat.serializeKeyset(given, ACCESS);
        if (!Arrays.equals(again, produce(message))) {
          throw new GeneralSecurityException("another keyset");
        }
        return bytes(message, "input");
      }
    };
  }

  private static JsonObject answer(JsonObject request) throws Refused, IOException {
    switch (request.get("op").getAsString()) {
      case "info":
        return info();
      case "template":
        return template(request);
      case "generate":
        return generate(request);
      case "write":
        return write(request);
      case "produce":
        return produce(request);
      case "consume":
        return consume(request);
      default:
        throw new IOException("no operation " + request.get("op"));
    }
  }

  private static JsonObject info() {
    JsonArray primitives = new JsonArray();
    PRIMITIVES.keySet().forEach(primitives::add);
    JsonObject answer = new JsonObject();
    answer.addProperty("name", OF_2026 ? "tink-java with TinkConfig2026" : "tink-java");
    answer.addProperty("version", Version.TINK_VERSION);
    Conscrypt.Version conscrypt = Conscrypt.version();
    JsonArray with = new JsonArray();
    with.add(
        "Conscrypt " + conscrypt.major() + "." + conscrypt.minor() + "." + conscrypt.patch());
    answer.add("with", with);
    answer.addProperty("runtime", "Java " + System.getProperty("java.version"));
    answer.add("primitives", primitives);
    JsonArray templates = new JsonArray();
    Registry.keyTemplates().forEach(templates::add);
    answer.add("templates", templates);
    return answer;
  }

  private static JsonObject template(JsonObject request) {
    JsonObject answer = new JsonObject();
    try {
      KeyTemplate found = KeyTemplates.get(request.get("name").getAsString());
      JsonObject template = new JsonObject();
      template.addProperty("type_url", found.getTypeUrl());
      template.addProperty("value", base64(found.getValue()));
      template.addProperty("prefix", found.getOutputPrefixType().name());
      answer.add("template", template);
    } catch (GeneralSecurityException unknown) {
      answer.add("template", JsonNull.INSTANCE);
    }
    return answer;
  }

  private static JsonObject generate(JsonObject request) throws Refused, IOException {
    JsonObject wanted = request.getAsJsonObject("template");
    byte[] value = bytes(wanted, "value");
    KeysetHandle handle =
        at(
            "generate",
            () ->
                KeysetHandle.generateNew(
                    KeyTemplate.create(
                        wanted.get("type_url").getAsString(),
                        value,
                        KeyTemplate.OutputPrefixType.valueOf(wanted.get("prefix").getAsString()))));
    return keyset(at("write", () -> TinkProtoKeysetFormat.serializeKeyset(handle, ACCESS)));
  }

  private static JsonObject write(JsonObject request) throws Refused, IOException {
    KeysetHandle handle = load(request.getAsJsonObject("keyset"));
    JsonObject target = request.getAsJsonObject("target");
    boolean json = target.get("format").getAsString().equals("json");
    if (target.has("no_secret")) {
      return keyset(
          at(
              "write",
              () ->
                  json
                      ? TinkJsonProtoKeysetFormat.serializeKeysetWithoutSecret(handle)
                          .getBytes(UTF_8)
                      : TinkProtoKeysetFormat.serializeKeysetWithoutSecret(handle)));
    }
    if (!target.has("kek")) {
      return keyset(
          at(
              "write",
              () ->
                  json
                      ? TinkJsonProtoKeysetFormat.serializeKeyset(handle, ACCESS).getBytes(UTF_8)
                      : TinkProtoKeysetFormat.serializeKeyset(handle, ACCESS)));
    }
    Aead kek = kek(target);
    byte[] ad = bytes(target, "associated_data");
    return keyset(
        at(
            "write",
            () ->
                json
                    ? TinkJsonProtoKeysetFormat.serializeEncryptedKeyset(handle, kek, ad)
                        .getBytes(UTF_8)
                    : TinkProtoKeysetFormat.serializeEncryptedKeyset(handle, kek, ad)));
  }

  private static JsonObject keyset(byte[] data) {
    JsonObject answer = new JsonObject();
    answer.addProperty("keyset", base64(data));
    return answer;
  }

  private static JsonObject produce(JsonObject request) throws Refused, IOException {
    Primitive primitive = open(request);
    JsonArray outputs = new JsonArray();
    for (JsonElement message : request.getAsJsonArray("messages")) {
      outputs.add(member(at("use", () -> primitive.produce(message.getAsJsonObject()))));
    }
    JsonObject answer = new JsonObject();
    answer.add("outputs", outputs);
    return answer;
  }

  private static JsonObject consume(JsonObject request) throws Refused, IOException {
    Primitive primitive = open(request);
    JsonArray inputs = new JsonArray();
    for (JsonElement message : request.getAsJsonArray("messages")) {
      try {
        inputs.add(member(at("use", () -> primitive.consume(message.getAsJsonObject()))));
      } catch (Refused refused) {
        inputs.add(JsonNull.INSTANCE);
      }
    }
    JsonObject answer = new JsonObject();
    answer.add("inputs", inputs);
    return answer;
  }

  private static Primitive open(JsonObject request) throws Refused, IOException {
    String name = request.get("primitive").getAsString();
    Open open = PRIMITIVES.get(name);
    remote = name.equals("kms") || name.equals("envelope");
    primitive = name.equals("deriver") ? KeysetDeriver.class : Aead.class;
    KeysetHandle handle = load(request.getAsJsonObject("keyset"));
    return at("primitive", () -> open.of(handle));
  }

  private static KeysetHandle load(JsonObject keyset) throws Refused, IOException {
    byte[] data = bytes(keyset, "data");
    String text = new String(data, UTF_8);
    boolean json = keyset.get("format").getAsString().equals("json");
    if (keyset.has("no_secret")) {
      return at(
          "load",
          () ->
              parsed(
                  () ->
                      json
                          ? TinkJsonProtoKeysetFormat.parseKeysetWithoutSecret(text)
                          : TinkProtoKeysetFormat.parseKeysetWithoutSecret(data),
                  with ->
                      json
                          ? TinkJsonProtoKeysetFormat.parseKeysetWithoutSecret(text, with)
                          : TinkProtoKeysetFormat.parseKeysetWithoutSecret(data, with)));
    }
    if (!keyset.has("kek")) {
      return at(
          "load",
          () ->
              parsed(
                  () ->
                      json
                          ? TinkJsonProtoKeysetFormat.parseKeyset(text, ACCESS)
                          : TinkProtoKeysetFormat.parseKeyset(data, ACCESS),
                  with ->
                      json
                          ? TinkJsonProtoKeysetFormat.parseKeyset(text, with, ACCESS)
                          : TinkProtoKeysetFormat.parseKeyset(data, ACCESS, with)));
    }
    Aead kek = kek(keyset);
    byte[] ad = bytes(keyset, "associated_data");
    return at(
        "load",
        () ->
            parsed(
                () ->
                    json
                        ? TinkJsonProtoKeysetFormat.parseEncryptedKeyset(text, kek, ad)
                        : TinkProtoKeysetFormat.parseEncryptedKeyset(data, kek, ad),
                with ->
                    json
                        ? TinkJsonProtoKeysetFormat.parseEncryptedKeyset(text, kek, ad, with)
                        : TinkProtoKeysetFormat.parseEncryptedKeyset(data, kek, ad, with)));
  }

  private static Aead kek(JsonObject keyset) throws Refused, IOException {
    byte[] data = bytes(keyset, "kek");
    return at(
        "kek",
        () ->
            TinkProtoKeysetFormat.parseKeyset(data, ACCESS)
                .getPrimitive(RegistryConfiguration.get(), Aead.class));
  }

  /** Returns a member that is base64 or, if it is long, the name of a file; empty if absent. */
  private static byte[] bytes(JsonObject object, String name) throws IOException {
    JsonElement member = object.get(name);
    if (member == null) {
      return new byte[0];
    }
    if (member.isJsonObject()) {
      return Files.readAllBytes(Path.of(member.getAsJsonObject().get("file").getAsString()));
    }
    return Base64.getDecoder().decode(member.getAsString());
  }

  private static JsonElement member(byte[] data) throws IOException {
    if (data.length <= IN_LINE) {
      return new JsonPrimitive(base64(data));
    }
    written++;
    Path path = folder.resolve(String.valueOf(written));
    Files.write(path, data);
    JsonObject file = new JsonObject();
    file.addProperty("file", path.toString());
    return file;
  }

  private static String base64(byte[] data) {
    return Base64.getEncoder().encodeToString(data);
  }

  public static void main(String[] arguments) throws Exception {
    folder = Path.of(arguments[0]);
    Security.addProvider(Conscrypt.newProvider());
    TinkConfig.register();
    PrfConfig.register();
    KeyDerivationConfig.register();
    Kms.register();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    PrintStream out = new PrintStream(System.out, false, UTF_8);
    Gson gson = new GsonBuilder().serializeNulls().create();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonObject answer;
      try {
        answer = answer(JsonParser.parseString(line).getAsJsonObject());
      } catch (Refused refused) {
        answer = new JsonObject();
        answer.addProperty("refused", refused.getMessage());
        answer.addProperty("stage", refused.stage);
      }
      out.println(gson.toJson(answer));
      out.flush();
    }
  }
}
