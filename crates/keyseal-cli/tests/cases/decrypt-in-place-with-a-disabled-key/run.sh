# Encrypts a folder, and decrypts it with its key disabled and with another keyset.
set -u
cleartext=--insecure-cleartext
keyseal keyset create --template AES256_GCM $cleartext -o a.json -q
keyseal keyset create --template AES256_GCM $cleartext -o b.json -q
mkdir d
echo one > d/1
echo two > d/2
keyseal encrypt -r d --in-place --keyset a.json $cleartext -q
id=$(keyseal keyset list a.json $cleartext | awk '/\*/{print $2}')
cp a.json off.json
keyseal keyset rotate off.json --template AES256_GCM --disable "$id" $cleartext --in-place -q
keyseal decrypt -r d --in-place --keyset off.json $cleartext
echo "disabled key: exit $?"
keyseal decrypt -r d --in-place --keyset b.json $cleartext
echo "other keyset: exit $?"
keyseal decrypt -r d --in-place --keyset a.json $cleartext -q
cat d/1 d/2
