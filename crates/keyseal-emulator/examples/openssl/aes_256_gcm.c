/* AES-256-GCM by OpenSSL: nonce(12) ‖ ciphertext ‖ tag(16), with the associated data "row 7".
 *
 *   cc aes_256_gcm.c -o aes_256_gcm -lcrypto
 *   aes_256_gcm encrypt|decrypt < KEY(32) ‖ INPUT > OUTPUT
 *
 * The key comes through a pipe: on a command line every user of the machine could read it. */

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

enum { KEY = 32, NONCE = 12, TAG = 16, LIMIT = 1 << 20 };

static const unsigned char associated_data[] = "row 7";
static unsigned char input[KEY + LIMIT], output[LIMIT + NONCE + TAG];

static int encrypt(EVP_CIPHER_CTX *cipher, const unsigned char *text, int size)
{
    unsigned char *body = output + NONCE;
    int length;
    if (RAND_bytes(output, NONCE) != 1 ||
        EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, input, output) != 1 ||
        EVP_EncryptUpdate(cipher, NULL, &length, associated_data, sizeof associated_data - 1) != 1 ||
        EVP_EncryptUpdate(cipher, body, &length, text, size) != 1 ||
        EVP_EncryptFinal_ex(cipher, body + length, &length) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, body + size) != 1)
        return -1;
    return NONCE + size + TAG;
}

static int decrypt(EVP_CIPHER_CTX *cipher, unsigned char *sealed, int size)
{
    unsigned char *body = sealed + NONCE;
    int length;
    size -= NONCE + TAG;
    if (size < 0 ||
        EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, input, sealed) != 1 ||
        EVP_DecryptUpdate(cipher, NULL, &length, associated_data, sizeof associated_data - 1) != 1 ||
        EVP_DecryptUpdate(cipher, output, &length, body, size) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG, body + size) != 1 ||
        EVP_DecryptFinal_ex(cipher, output + length, &length) != 1)
        return -1;
    return size;
}

int main(int count, char **words)
{
    int size = (int)fread(input, 1, sizeof input, stdin) - KEY;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int written = -1;
    if (count == 2 && size >= 0 && size <= LIMIT && cipher != NULL) {
        if (strcmp(words[1], "encrypt") == 0)
            written = encrypt(cipher, input + KEY, size);
        else if (strcmp(words[1], "decrypt") == 0)
            written = decrypt(cipher, input + KEY, size);
    }
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(input, sizeof input);
    if (written < 0 || fwrite(output, 1, (size_t)written, stdout) != (size_t)written) {
        fputs("aes_256_gcm: failed\n", stderr);
        return 1;
    }
    return 0;
}
