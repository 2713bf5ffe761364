package com.google.crypto.tink.signature;

import com.google.crypto.tink.Configuration;
import java.security.GeneralSecurityException;

/**
 * For the compiler alone; what runs is the class of the package. The suite's service catches an
 * exception that the method of this release does not declare, which the compiler refuses.
 */
public final class SignatureConfig2026 {
  public static Configuration get() throws GeneralSecurityException {
    throw new UnsupportedOperationException();
  }

  private SignatureConfig2026() {}
}
