# Decrypts an envelope, and a text, with a key-encryption key that did not make it.
set -u
other=$(keyseal kek create --name other -q)
printf hello > p
keyseal encrypt p --kek "$SCW_KM_KEY_URI" -o e -q
keyseal decrypt e --kek "$other"
echo "other key: exit $?"
keyseal decrypt p --kek "$SCW_KM_KEY_URI"
echo "no envelope: exit $?"
