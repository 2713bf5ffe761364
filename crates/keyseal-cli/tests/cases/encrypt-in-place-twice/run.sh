# Encrypts a folder a second time after its key was rotated and disabled, and without its associated
# data.
set -u
cleartext=--insecure-cleartext
keyseal keyset create --template AES256_GCM $cleartext -o a.json -q
mkdir d e
printf hello > d/1
printf hello > e/1
keyseal encrypt -r d --in-place --keyset a.json $cleartext -q
keyseal encrypt -r e --in-place --keyset a.json $cleartext --aad x -q
id=$(keyseal keyset list a.json $cleartext | awk '/\*/{print $2}')
keyseal keyset rotate a.json --template AES256_GCM --disable "$id" $cleartext --in-place -q
keyseal encrypt -r d --in-place --keyset a.json $cleartext
echo "disabled key: exit $?, $(wc -c < d/1) bytes"
keyseal keyset promote a.json --key-id "$id" --enable "$id" $cleartext --in-place -q
keyseal encrypt -r e --in-place --keyset a.json $cleartext
echo "other data: exit $?, $(wc -c < e/1) bytes"
