import com.google.crypto.tink.aead.AeadConfig;
import com.google.crypto.tink.config.GlobalTinkFlags;
import com.google.crypto.tink.daead.DeterministicAeadConfig;
import com.google.crypto.tink.hybrid.HybridConfig;
import com.google.crypto.tink.jwt.JwtMacConfig;
import com.google.crypto.tink.jwt.JwtSignatureConfig;
import com.google.crypto.tink.keyderivation.KeyDerivationConfig;
import com.google.crypto.tink.mac.MacConfig;
import com.google.crypto.tink.prf.PrfConfig;
import com.google.crypto.tink.signature.MlDsaSignKeyManager;
import com.google.crypto.tink.signature.SignatureConfig;
import com.google.crypto.tink.signature.SlhDsaSignKeyManager;
import com.google.crypto.tink.streamingaead.StreamingAeadConfig;
import com.google.crypto.tink.testing.AeadServiceImpl;
import com.google.crypto.tink.testing.DeterministicAeadServiceImpl;
import com.google.crypto.tink.testing.HybridServiceImpl;
import com.google.crypto.tink.testing.JwtServiceImpl;
import com.google.crypto.tink.testing.KeysetDeriverServiceImpl;
import com.google.crypto.tink.testing.KeysetServiceImpl;
import com.google.crypto.tink.testing.MacServiceImpl;
import com.google.crypto.tink.testing.MetadataServiceImpl;
import com.google.crypto.tink.testing.PrfSetServiceImpl;
import com.google.crypto.tink.testing.SignatureServiceImpl;
import com.google.crypto.tink.testing.StreamingAeadServiceImpl;
import io.grpc.BindableService;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.net.InetSocketAddress;
import java.security.Security;
import java.util.List;
import org.conscrypt.Conscrypt;

/** Serves the suite's own services for Java, without the clients of other clouds' KMS. */
final class Server {
  public static void main(String[] words) throws Exception {
    if (words.length != 2 || !words[0].equals("--port")) {
      throw new IllegalArgumentException("usage: Server --port N");
    }
    // The suite expects this of Java: otherwise a keyset is looked at only when it is used.
    GlobalTinkFlags.validateKeysetsOnParsing.setValue(true);
    // Java alone has no AES-GCM-SIV.
    Security.addProvider(Conscrypt.newProvider());
    AeadConfig.register();
    DeterministicAeadConfig.register();
    HybridConfig.register();
    JwtMacConfig.register();
    JwtSignatureConfig.register();
    KeyDerivationConfig.register();
    MacConfig.register();
    PrfConfig.register();
    SignatureConfig.register();
    MlDsaSignKeyManager.registerPair();
    SlhDsaSignKeyManager.registerPair();
    StreamingAeadConfig.register();
    // The one of the lab: it has what the suite calls a fake KMS.
    Kms.register();
    List<BindableService> services =
        List.of(
            new MetadataServiceImpl(),
            new KeysetServiceImpl(),
            new AeadServiceImpl(),
            new DeterministicAeadServiceImpl(),
            new HybridServiceImpl(),
            new JwtServiceImpl(),
            new KeysetDeriverServiceImpl(),
            new MacServiceImpl(),
            new PrfSetServiceImpl(),
            new SignatureServiceImpl(),
            new StreamingAeadServiceImpl());
    NettyServerBuilder server =
        NettyServerBuilder.forAddress(new InetSocketAddress("::1", Integer.parseInt(words[1])));
    services.forEach(server::addService);
    server.build().start().awaitTermination();
  }
}
