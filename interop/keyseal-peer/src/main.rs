//! Answers the lab's requests with keyseal. See ../../README.md.

use std::{
    env,
    error::Error,
    fmt, fs,
    io::{self, BufRead as _, Read as _, Seek as _, SeekFrom, Write as _},
    num::NonZeroUsize,
    path::PathBuf,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use keyseal::{
    DeterministicAead as _, KeyTypes, KeysetAead, KeysetDeriver, KeysetDeterministicAead,
    KeysetHandle, KeysetMac, KeysetPrfSet, KeysetRemoteAead, KeysetStreamingAead, Mac as _, Prf,
    Provider, SecretAccess, StreamingAead as _, Variant, error_chain,
    key::KeyTemplate,
    keyset::{self, Format},
    kms::{
        KmsClients,
        blocking::{BlockingAead, Worker},
        scaleway::ScalewayClient,
        testkit::FakeKmsClient,
    },
    streaming::{self, Opener, SeekableReader},
};
use serde_json::{Value, json};

const ACCESS: SecretAccess = SecretAccess::insecure();

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: keyseal-peer FOLDER")?;
    let mut files = Files {
        folder: folder.into(),
        written: 0,
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = answer(&request, &mut files).or_else(|failure| match failure {
            Failure::Refused { stage, cause } => Ok(json!({"refused": cause, "stage": stage})),
            Failure::Protocol(what) => Err(what),
        })?;
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

enum Failure {
    /// The library said no; `stage` is where.
    Refused { stage: &'static str, cause: String },
    /// The request makes no sense: the lab is broken.
    Protocol(String),
}

fn at<T, E: Error>(stage: &'static str, result: Result<T, E>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Refused {
        stage,
        cause: error_chain(&error),
    })
}

fn protocol(what: impl fmt::Display) -> Failure {
    Failure::Protocol(what.to_string())
}

fn answer(request: &Value, files: &mut Files) -> Result<Value, Failure> {
    match text(request, "op")? {
        "info" => Ok(info()),
        "template" => template(request),
        "generate" => generate(request),
        "write" => write(request),
        "produce" => produce(request, files),
        "consume" => consume(request, files),
        other => Err(protocol(format_args!("no operation `{other}`"))),
    }
}

fn info() -> Value {
    json!({
        "name": "keyseal",
        "version": "this tree",
        "with": [],
        "runtime": format!("Rust, providers {:?}", Provider::ALL),
        "primitives": PRIMITIVES.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "templates": KeyTypes::default().templates().map(|found| found.name()).collect::<Vec<_>>(),
    })
}

fn template(request: &Value) -> Result<Value, Failure> {
    let Ok(found) = KeyTypes::default().template(text(request, "name")?) else {
        return Ok(json!({"template": null}));
    };
    let template = found.key_template();
    Ok(json!({"template": {
        "type_url": template.type_url(),
        "value": BASE64.encode(template.value()),
        "prefix": template.variant().name(),
    }}))
}

fn generate(request: &Value) -> Result<Value, Failure> {
    let wanted = &request["template"];
    let prefix = text(wanted, "prefix")?;
    let variant = Variant::ALL
        .into_iter()
        .find(|variant| variant.name() == prefix)
        .ok_or_else(|| protocol(format_args!("no prefix `{prefix}`")))?;
    let template = KeyTemplate::new(text(wanted, "type_url")?, bytes(wanted, "value")?, variant);
    let key = at("generate", KeyTypes::default().generate_from(&template))?;
    let keyset = at("generate", KeysetHandle::new(key))?;
    Ok(json!({"keyset": BASE64.encode(binary(&keyset))}))
}

fn write(request: &Value) -> Result<Value, Failure> {
    let keyset = load(&request["keyset"])?;
    let target = &request["target"];
    let format = format(target)?;
    let data = if !target["no_secret"].is_null() {
        BASE64.encode(at("write", keyset.write_no_secret(format))?)
    } else if target["kek"].is_null() {
        let written = keyset.write_cleartext(format, ACCESS);
        BASE64.encode(written.expose(ACCESS))
    } else {
        let associated_data = bytes(target, "associated_data")?;
        let written = keyset.write_encrypted(format, &kek(target)?, &associated_data);
        BASE64.encode(at("write", written)?)
    };
    Ok(json!({"keyset": data}))
}

/// A primitive of a keyset: what makes outputs, and what takes them.
type Open = fn(&KeysetHandle) -> Result<Box<dyn Primitive>, Failure>;

trait Primitive {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure>;
    /// Returns the input of `output`, or nothing when that is refused.
    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>>;
}

struct Message {
    input: Vec<u8>,
    associated_data: Vec<u8>,
    /// Of a PRF output.
    length: usize,
}

impl Message {
    fn of(message: &Value) -> Result<Self, Failure> {
        Ok(Self {
            input: bytes(message, "input")?,
            associated_data: bytes(message, "associated_data")?,
            length: match &message["length"] {
                Value::Null => 16,
                length => serde_json::from_value(length.clone()).map_err(protocol)?,
            },
        })
    }
}

const PRIMITIVES: &[(&str, Open)] = &[
    ("aead", |keyset| {
        Ok(Box::new(Aead::<KeysetAead>(of_every_provider(keyset)?)))
    }),
    ("kms", |keyset| Ok(Box::new(Aead(remote(keyset)?)))),
    ("envelope", |keyset| Ok(Box::new(Aead(remote(keyset)?)))),
    ("daead", |keyset| {
        Ok(Box::new(Daead(at("primitive", keyset.primitive())?)))
    }),
    ("deriver", |keyset| {
        Ok(Box::new(Deriver(at("primitive", keyset.primitive())?)))
    }),
    ("mac", |keyset| {
        Ok(Box::new(Mac(at("primitive", keyset.primitive())?)))
    }),
    ("streaming", |keyset| {
        Ok(Box::new(Streaming(of_every_provider(keyset)?)))
    }),
    ("prf", |keyset| {
        Ok(Box::new(PrfSet(at("primitive", keyset.primitive())?)))
    }),
];

fn produce(request: &Value, files: &mut Files) -> Result<Value, Failure> {
    let primitive = open(request)?;
    let mut outputs = Vec::new();
    for message in messages(request)? {
        let output = primitive.produce(&Message::of(message)?)?;
        outputs.push(files.member(&output)?);
    }
    Ok(json!({"outputs": outputs}))
}

fn consume(request: &Value, files: &mut Files) -> Result<Value, Failure> {
    let primitive = open(request)?;
    let mut inputs = Vec::new();
    for message in messages(request)? {
        let input = primitive.consume(&bytes(message, "output")?, &Message::of(message)?);
        inputs.push(match input {
            Some(input) => files.member(&input)?,
            None => Value::Null,
        });
    }
    Ok(json!({"inputs": inputs}))
}

fn open(request: &Value) -> Result<Box<dyn Primitive>, Failure> {
    let name = text(request, "primitive")?;
    let (_, open) = PRIMITIVES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| protocol(format_args!("no primitive `{name}`")))?;
    open(&load(&request["keyset"])?)
}

/// The same AEAD of every cipher provider: all of them must agree.
struct Aead<A>(Vec<A>);

fn of_every_provider<P: keyset::Primitive>(keyset: &KeysetHandle) -> Result<Vec<P>, Failure> {
    let of = |&provider| at("primitive", keyset.primitive_with(provider));
    Provider::ALL.iter().map(of).collect()
}

/// The AEAD of a keyset whose keys are at a KMS, with every provider.
fn remote(keyset: &KeysetHandle) -> Result<Vec<BlockingAead>, Failure> {
    thread_local!(static WORKER: Worker = Worker::new().expect("a thread"));
    let mut services = KmsClients::new().with(FakeKmsClient::new());
    if env::var_os("SCW_SECRET_KEY").is_some() {
        services = services.with(at("primitive", ScalewayClient::from_env())?);
    }
    let of = |&provider| {
        let aead = KeysetRemoteAead::with_provider(keyset, &services, provider);
        let aead = at("primitive", aead)?;
        Ok(WORKER.with(|worker| BlockingAead::new(worker, aead)))
    };
    Provider::ALL.iter().map(of).collect()
}

impl<A: keyseal::Aead> Primitive for Aead<A> {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        // Messages of different lengths come from different providers.
        let length = message.input.len() + message.associated_data.len();
        let (count, data) = (self.0.len(), &message.associated_data);
        let aead = &self.0[length % count];
        if (length / count).is_multiple_of(2) {
            return at("use", aead.encrypt(&message.input, data));
        }
        let mut buffer = message.input.clone();
        at("use", aead.encrypt_in_place(&mut buffer, data))?;
        Ok(buffer)
    }

    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>> {
        let data = &message.associated_data;
        let mut opened = self.0.iter().flat_map(|aead| {
            let mut buffer = output.to_vec();
            let in_place = aead.decrypt_in_place(&mut buffer, data);
            [
                aead.decrypt(output, data).ok(),
                in_place.ok().map(|()| buffer),
            ]
        });
        let first = opened.next()?;
        assert!(
            opened.all(|other| other == first),
            "two ways to open disagree"
        );
        first
    }
}

struct Daead(KeysetDeterministicAead);

impl Primitive for Daead {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        let (daead, associated_data) = (&self.0, &message.associated_data);
        at(
            "use",
            daead.encrypt_deterministically(&message.input, associated_data),
        )
    }

    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>> {
        let daead = &self.0;
        daead
            .decrypt_deterministically(output, &message.associated_data)
            .ok()
    }
}

/// The same streams of every cipher provider, read and written in every way: all must agree.
struct Streaming(Vec<KeysetStreamingAead>);

const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

impl Primitive for Streaming {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        // Messages of different lengths come from different providers, in different ways.
        let length = message.input.len() + message.associated_data.len();
        let (count, data) = (self.0.len(), &message.associated_data);
        let aead = &self.0[length % count];
        if (length / count).is_multiple_of(2) {
            let sealer = at("use", aead.sealer(data))?;
            let stream = streaming::encrypt_slice(sealer, &message.input, THREADS);
            return at("use", stream);
        }
        let mut writer = at("use", aead.encrypting_writer(Vec::new(), data))?;
        at("use", writer.write_all(&message.input))?;
        at("use", writer.finish())
    }

    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>> {
        let data = &message.associated_data;
        let mut opened = self.0.iter().flat_map(|aead| {
            let mut in_order = Vec::new();
            let read = aead
                .decrypting_reader(output, data)
                .read_to_end(&mut in_order);
            let by_threads = streaming::decrypt_slice(aead.opener(data), output, THREADS);
            let from_the_middle = middle_first(aead.opener(data), output);
            [
                read.map(|_| in_order).ok(),
                by_threads.ok(),
                from_the_middle.ok(),
            ]
        });
        let first = opened.next()?;
        assert!(
            opened.all(|other| other == first),
            "two ways to read disagree"
        );
        first
    }
}

/// Reads a stream from its middle to its end, and then from its start.
fn middle_first(opener: Opener, stream: &[u8]) -> io::Result<Vec<u8>> {
    let mut reader = SeekableReader::new(opener, stream.to_vec())?;
    let middle = reader.len() / 2;
    reader.seek(SeekFrom::Start(middle))?;
    let mut second_half = Vec::new();
    reader.read_to_end(&mut second_half)?;
    reader.rewind()?;
    let mut plaintext = Vec::new();
    reader.take(middle).read_to_end(&mut plaintext)?;
    plaintext.append(&mut second_half);
    Ok(plaintext)
}

/// A MAC of a whole message, and of one in pieces: both must agree.
struct Mac(KeysetMac);

/// Cuts a message into pieces of an odd length, which end within the blocks of a hash. A long message
/// has about a thousand: after each, the stack is wiped.
fn pieces(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message.chunks((message.len() / 1000 + 7) | 1)
}

impl Primitive for Mac {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        let mut computation = self.0.create_computation();
        for piece in pieces(&message.input) {
            computation.update(piece);
        }
        let tag = computation.compute_mac();
        assert_eq!(
            tag,
            self.0.compute_mac(&message.input),
            "pieces make a difference"
        );
        Ok(tag)
    }

    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>> {
        let mut verification = self.0.create_verification(output);
        for piece in pieces(&message.input) {
            verification.update(piece);
        }
        let in_pieces = verification.verify_mac().is_ok();
        let whole = self.0.verify_mac(output, &message.input).is_ok();
        assert_eq!(in_pieces, whole, "pieces make a difference");
        whole.then(|| message.input.clone())
    }
}

/// As many bytes as asked for; what any key of the set computes is taken.
struct PrfSet(KeysetPrfSet);

impl Primitive for PrfSet {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        let prf = self.0.primary();
        at("use", prf.compute_prf(&message.input, message.length))
    }

    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>> {
        let computes = |prf: &dyn Prf| {
            prf.compute_prf(&message.input, message.length)
                .is_ok_and(|computed| computed == output)
        };
        self.0
            .iter()
            .any(|(_, prf)| computes(prf))
            .then(|| message.input.clone())
    }
}

/// The derived keyset; it is taken if it is the same when it is derived again.
struct Deriver(KeysetDeriver);

impl Primitive for Deriver {
    fn produce(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        let derived = at("use", self.0.derive_keyset(&message.input))?;
        Ok(binary(&derived))
    }

    fn consume(&self, output: &[u8], message: &Message) -> Option<Vec<u8>> {
        let given = KeysetHandle::read_cleartext(output, Format::Binary, ACCESS).ok()?;
        let derived = self.0.derive_keyset(&message.input).ok()?;
        (binary(&given) == binary(&derived)).then(|| message.input.clone())
    }
}

fn binary(keyset: &KeysetHandle) -> Vec<u8> {
    let written = keyset.write_cleartext(Format::Binary, ACCESS);
    written.expose(ACCESS).to_vec()
}

fn load(keyset: &Value) -> Result<KeysetHandle, Failure> {
    let data = bytes(keyset, "data")?;
    let format = format(keyset)?;
    let loaded = if !keyset["no_secret"].is_null() {
        KeysetHandle::read_no_secret(&data, format)
    } else if keyset["kek"].is_null() {
        KeysetHandle::read_cleartext(&data, format, ACCESS)
    } else {
        let associated_data = bytes(keyset, "associated_data")?;
        KeysetHandle::read_encrypted(&data, format, &kek(keyset)?, &associated_data)
    };
    at("load", loaded)
}

/// A key-encryption key, of this process or of a KMS.
fn kek(keyset: &Value) -> Result<Box<dyn keyseal::Aead>, Failure> {
    let data = bytes(keyset, "kek")?;
    let handle = at(
        "kek",
        KeysetHandle::read_cleartext(&data, Format::Binary, ACCESS),
    )?;
    if let Ok(aead) = handle.primitive::<KeysetAead>() {
        return Ok(Box::new(aead));
    }
    let aead = remote(&handle)?.pop();
    Ok(Box::new(aead.ok_or_else(|| protocol("no provider"))?))
}

fn format(keyset: &Value) -> Result<Format, Failure> {
    match text(keyset, "format")? {
        "binary" => Ok(Format::Binary),
        "json" => Ok(Format::Json),
        other => Err(protocol(format_args!("no format `{other}`"))),
    }
}

fn messages(request: &Value) -> Result<&Vec<Value>, Failure> {
    request["messages"]
        .as_array()
        .ok_or_else(|| protocol("no messages"))
}

fn text<'v>(value: &'v Value, member: &str) -> Result<&'v str, Failure> {
    value[member]
        .as_str()
        .ok_or_else(|| protocol(format_args!("no text `{member}`")))
}

/// A member that is base64, or the name of a file; one that is absent is empty.
fn bytes(value: &Value, member: &str) -> Result<Vec<u8>, Failure> {
    match &value[member] {
        Value::Null => Ok(Vec::new()),
        file @ Value::Object(_) => fs::read(text(file, "file")?).map_err(protocol),
        _ => BASE64.decode(text(value, member)?).map_err(protocol),
    }
}

/// Where long binary data is written.
struct Files {
    folder: PathBuf,
    written: usize,
}

impl Files {
    const IN_LINE: usize = 65_536;

    /// Makes a member of an answer: base64, or the name of a file.
    fn member(&mut self, data: &[u8]) -> Result<Value, Failure> {
        if data.len() <= Self::IN_LINE {
            return Ok(BASE64.encode(data).into());
        }
        self.written += 1;
        let path = self.folder.join(self.written.to_string());
        fs::write(&path, data).map_err(protocol)?;
        Ok(json!({"file": path}))
    }
}
