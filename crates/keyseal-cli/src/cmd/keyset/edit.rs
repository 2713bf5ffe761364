//! `keyset add`, `rotate`, `promote`, `enable`, `disable`, `destroy`, `delete`: several of them
//! in one call, which applies all of them or none.

use clap::Args;
use keyseal::{Key, KeyId, KeysetError, KeysetHandle};

use super::{change::KeysetEdit, generate::generate};
use crate::{
    args::{ChangedFile, KeysetAccess, VariantName},
    context::Context,
    error::Failure,
    exit::Exit,
    format_name::FormatName,
    input::{FileArg, check_one_standard_input},
    keyset_failure::keyset_failure,
    keysets::Access,
};

/// A change of a keyset, and its output.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) changes: Vec<Change>,
    pub(crate) common: EditArgs,
}

/// One step. Steps are done in the order of the variants, so that the conditions of each are met:
/// a key is enabled before it is promoted, and another key is promoted before the old primary key
/// is disabled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Enable(KeyId),
    Add(String),
    Rotate(String),
    Promote(KeyId),
    Disable(KeyId),
    Destroy(KeyId),
    Delete(KeyId),
}

/// The options of every edit.
#[derive(Args, Debug)]
pub(crate) struct EditArgs {
    /// The keyset file; `-` is standard input
    #[arg(value_name = "FILE")]
    keyset: FileArg,
    /// Also add a key of this template
    #[arg(long, value_name = "NAME", help_heading = MORE)]
    add: Vec<String>,
    /// Also add a key of this template and make it primary
    #[arg(long, value_name = "NAME", help_heading = MORE)]
    rotate: Option<String>,
    /// Also make this key primary
    #[arg(long, value_name = "ID", help_heading = MORE)]
    promote: Option<u32>,
    /// Also enable this key
    #[arg(long, value_name = "ID", help_heading = MORE)]
    enable: Vec<u32>,
    /// Also disable this key
    #[arg(long, value_name = "ID", help_heading = MORE)]
    disable: Vec<u32>,
    /// Also destroy this key
    #[arg(long, value_name = "ID", help_heading = MORE)]
    destroy: Vec<u32>,
    /// Also delete this key
    #[arg(long, value_name = "ID", help_heading = MORE)]
    delete: Vec<u32>,
    #[command(flatten)]
    new_keys: NewKeys,
    #[command(flatten)]
    output: ChangedFile,
    /// The format of the output [default: that of the input]
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    format: Option<FormatName>,
    #[command(flatten)]
    access: KeysetAccess,
}

/// The properties of added keys.
#[derive(Args, Debug, Default)]
pub(crate) struct NewKeys {
    /// The output prefix type of new keys [default: that of the template]
    #[arg(long, value_name = "TYPE", help_heading = MORE)]
    variant: Option<VariantName>,
    /// Allow new keys of another kind, to move a keyset from one kind to another
    #[arg(long, help_heading = MORE)]
    any_kind: bool,
}

impl NewKeys {
    fn add(&self, handle: &mut KeysetHandle, key: Key) -> Result<KeyId, KeysetError> {
        match self.any_kind {
            true => handle.add_of_any_kind(key),
            false => handle.add(key),
        }
    }
}

pub(super) const ANY_KIND_HINT: &str = "--any-kind adds it anyway: nothing can use the keyset until \
     its enabled keys are of one kind";

/// Some Tinks wrongly refuse a destroyed key.
const FOR_JAVA: &str = "tink-java does not read a JSON keyset with a destroyed key, nor any such keyset with \
     TinkConfig2026: if Java reads this keyset, delete the key instead";

const MORE: &str = "More edits in the same step, in the order enable, add, rotate, promote, disable, destroy, delete";

/// Add a key: it decrypts at once, and encrypts once it is promoted
///
/// If several processes read the keyset, add the key, distribute the file, and then promote the
/// key.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal keyset add keyset.json --template AES256_GCM --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --in-place")]
pub(crate) struct AddArgs {
    /// The template of the key: `keyseal templates` lists them
    #[arg(long, value_name = "NAME")]
    template: String,
    #[command(flatten)]
    common: EditArgs,
}

/// Add a key and make it primary: it encrypts from now on, the others still decrypt
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal keyset rotate keyset.json --template AES256_GCM --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --in-place")]
pub(crate) struct RotateArgs {
    /// The template of the key: `keyseal templates` lists them
    #[arg(long, value_name = "NAME")]
    template: String,
    #[command(flatten)]
    common: EditArgs,
}

/// Make a key primary: it encrypts from now on
#[derive(Args, Debug)]
#[command(after_help = "\
Example, which also takes the old primary key out of use:
  keyseal keyset promote keyset.json --key-id 1811294 --disable 2948273 \\
    --keyset-kek file-kms://kek.json --insecure-cleartext --in-place")]
pub(crate) struct PromoteArgs {
    /// The key
    #[arg(long, value_name = "ID")]
    key_id: u32,
    #[command(flatten)]
    common: EditArgs,
}

/// An edit of one or more keys.
macro_rules! of_keys {
    ($(#[$doc:meta])* $name:ident, $change:expr) => {
        #[derive(Args, Debug)]
        $(#[$doc])*
        pub(crate) struct $name {
            /// The key; can be repeated
            #[arg(long, value_name = "ID", required = true)]
            key_id: Vec<u32>,
            #[command(flatten)]
            common: EditArgs,
        }

        impl From<$name> for Edit {
            fn from(args: $name) -> Self {
                let ids = args.key_id.into_iter().map(KeyId::new);
                Self::new(ids.map($change).collect(), args.common)
            }
        }
    };
}

of_keys!(
    /// Enable a disabled key again
    #[command(after_help = "\
Example:
  keyseal keyset enable keyset.json --key-id 2948273 --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --in-place")]
    EnableArgs,
    Change::Enable
);
of_keys!(
    /// Disable a key, but keep it: its ciphertexts do not decrypt until you enable it again
    #[command(after_help = "\
Example:
  keyseal keyset disable keyset.json --key-id 2948273 --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --in-place")]
    DisableArgs,
    Change::Disable
);
of_keys!(
    /// Wipe the material of a key permanently, but keep its id reserved
    ///
    /// tink-java refuses a keyset with a destroyed key in JSON, and with TinkConfig2026 also in
    /// binary. If Java reads the keyset, delete the key instead.
    #[command(after_help = "\
Example:
  keyseal keyset destroy keyset.json --key-id 2948273 --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --in-place")]
    DestroyArgs,
    Change::Destroy
);
of_keys!(
    /// Remove a key for good
    #[command(after_help = "\
Example:
  keyseal keyset delete keyset.json --key-id 2948273 --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --in-place")]
    DeleteArgs,
    Change::Delete
);

impl From<AddArgs> for Edit {
    fn from(args: AddArgs) -> Self {
        Self::new(vec![Change::Add(args.template)], args.common)
    }
}

impl From<RotateArgs> for Edit {
    fn from(args: RotateArgs) -> Self {
        Self::new(vec![Change::Rotate(args.template)], args.common)
    }
}

impl From<PromoteArgs> for Edit {
    fn from(args: PromoteArgs) -> Self {
        Self::new(vec![Change::Promote(KeyId::new(args.key_id))], args.common)
    }
}

impl Edit {
    fn new(mut changes: Vec<Change>, common: EditArgs) -> Self {
        fn of_ids<'i>(
            ids: impl IntoIterator<Item = &'i u32> + 'i,
            change: fn(KeyId) -> Change,
        ) -> impl Iterator<Item = Change> + 'i {
            ids.into_iter().map(move |id| change(KeyId::new(*id)))
        }
        changes.extend(of_ids(&common.enable, Change::Enable));
        changes.extend(common.add.iter().cloned().map(Change::Add));
        changes.extend(common.rotate.iter().cloned().map(Change::Rotate));
        changes.extend(of_ids(&common.promote, Change::Promote));
        changes.extend(of_ids(&common.disable, Change::Disable));
        changes.extend(of_ids(&common.destroy, Change::Destroy));
        changes.extend(of_ids(&common.delete, Change::Delete));
        Self { changes, common }
    }
}

pub(crate) fn run(edit: Edit, context: &Context) -> Result<Exit, Failure> {
    let Edit { changes, common } = edit;
    check_one_primary(&changes)?;
    let mut others: Vec<&FileArg> = common.access.places().collect();
    check_one_standard_input(others.iter().copied().chain([&common.keyset]))?;
    let access: Access = common.access.resolve(context)?;
    let kek = access.kek.clone();
    others.extend(kek.as_ref().and_then(|kek| kek.place()));
    let adds_keys = changes
        .iter()
        .any(|change| matches!(change, Change::Add(_) | Change::Rotate(_)));
    let edit = KeysetEdit::plan(&common.keyset, &common.output, &others, context)?;
    let edited = edit.run(access, |keyset| {
        keyset.format = common.format.unwrap_or(keyset.format);
        apply(
            &mut keyset.handle,
            changes,
            &common.new_keys,
            &common.keyset,
        )
        .map_err(
            |failure| match failure.code() == "other_kind" && adds_keys {
                true => failure.hint(ANY_KIND_HINT),
                false => failure,
            },
        )
    })?;
    edited.report(|name| format!("{}\nwrote {name}", edited.told.join("\n")))
}

/// Makes all changes in order, and describes each.
pub(crate) fn apply(
    handle: &mut KeysetHandle,
    mut changes: Vec<Change>,
    new_keys: &NewKeys,
    place: &FileArg,
) -> Result<Vec<String>, Failure> {
    changes.sort();
    let failed = |error: KeysetError| {
        let shown = match place {
            FileArg::Standard => "FILE".to_owned(),
            FileArg::File(_) => place.argument(),
        };
        keyset_failure(&shown, error)
    };
    let destroys = changes
        .iter()
        .any(|change| matches!(change, Change::Destroy(_)));
    let mut said: Vec<String> = changes
        .into_iter()
        .map(|change| {
            let done = match change {
                Change::Add(template) => {
                    let id = new_keys.add(handle, generate(&template, new_keys.variant)?);
                    return Ok(format!("added {template} key {}", id.map_err(failed)?));
                }
                Change::Rotate(template) => {
                    let id = new_keys
                        .add(handle, generate(&template, new_keys.variant)?)
                        .and_then(|id| handle.promote(id).map(|()| id))
                        .map_err(failed)?;
                    return Ok(format!("added {template} key {id}, which is primary now"));
                }
                Change::Enable(id) => (handle.enable(id), id, "enabled"),
                Change::Promote(id) => (handle.promote(id), id, "primary"),
                Change::Disable(id) => (handle.disable(id), id, "disabled"),
                Change::Destroy(id) => (handle.destroy(id), id, "destroyed"),
                Change::Delete(id) => (handle.delete(id), id, "deleted"),
            };
            let (outcome, id, state) = done;
            outcome.map_err(failed)?;
            Ok(format!("key {id} is {state}"))
        })
        .collect::<Result<_, Failure>>()?;
    if destroys {
        said.push(FOR_JAVA.to_owned());
    }
    Ok(said)
}

fn check_one_primary(changes: &[Change]) -> Result<(), Failure> {
    let promoting = |change: &&Change| matches!(change, Change::Rotate(_) | Change::Promote(_));
    if changes.iter().filter(promoting).count() > 1 {
        return Err(Failure::usage(
            "two_primary_keys",
            "cannot change the keyset",
            "two keys would become primary",
        )
        .hint("only one of rotate and promote makes sense in one call"));
    }
    Ok(())
}
