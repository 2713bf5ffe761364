//! [`Function`]: what all functions are for DataFusion.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    arrow::{
        array::ArrayRef,
        datatypes::{DataType, Field, FieldRef},
    },
    common::{internal_err, plan_err},
    error::Result,
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
    scalar::ScalarValue,
};

use crate::{call::Call, column, column::Column, key_type, ring::KeyRing};

/// A function of a family's table.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    /// BigQuery's names. Dotted names are looked up by their text, so each is there in both cases.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) parameters: &'static [Parameter],
    pub(crate) result: DataType,
    pub(crate) nature: Nature,
    pub(crate) run: fn(&Call<'_>) -> Result<ArrayRef>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameter {
    /// Text or binary.
    Value,
    /// A literal: the type of a new key.
    KeyType,
    /// A literal: the type of a key's bytes.
    RawKeyType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Each call has another result.
    Random,
    /// The result is secret and must not become a literal of the plan. It depends on the arguments
    /// alone, but DataFusion evaluates immutable calls of literals when it plans.
    Secret,
    /// The result may be a literal of the plan.
    Plain,
}

#[derive(Debug)]
struct Function {
    definition: &'static Definition,
    ring: Arc<KeyRing>,
    signature: Signature,
    aliases: Vec<String>,
}

pub(crate) fn udf(definition: &'static Definition, ring: &Arc<KeyRing>) -> ScalarUDF {
    let volatility = match definition.nature {
        Nature::Random | Nature::Secret => Volatility::Volatile,
        Nature::Plain => Volatility::Immutable,
    };
    let cases = |alias: &&str| [(*alias).to_owned(), alias.to_lowercase()];
    ScalarUDF::new_from_impl(Function {
        definition,
        ring: Arc::clone(ring),
        signature: Signature::user_defined(volatility),
        aliases: definition.aliases.iter().flat_map(cases).collect(),
    })
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && Arc::ptr_eq(&self.ring, &other.ring)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (name, wanted) = (self.name(), self.definition.parameters.len());
        if types.len() != wanted {
            let found = types.len();
            return plan_err!("{name} takes {wanted} arguments, not {found}");
        }
        types
            .iter()
            .map(|data_type| column::coerced(name, data_type))
            .collect()
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("return_field_from_args says it")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let parameters = self.definition.parameters;
        for (parameter, literal) in parameters.iter().zip(arguments.scalar_arguments) {
            let check: fn(&str) -> Result<()> = match parameter {
                Parameter::Value => continue,
                Parameter::KeyType => |name| key_type::template(name).map(|_| ()),
                Parameter::RawKeyType => key_type::check_raw,
            };
            match literal.and_then(ScalarValue::try_as_str).flatten() {
                Some(name) => check(name)?,
                None => return plan_err!("{}: the key type must be a text literal", self.name()),
            }
        }
        let result = self.definition.result.clone();
        Ok(Arc::new(Field::new(self.name(), result, true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = arguments.args.iter().map(Column::new);
        let columns: Vec<_> = columns.collect::<Result<_>>()?;
        let is_constant =
            self.definition.nature != Nature::Random && columns.iter().all(Column::is_scalar);
        let call = Call {
            function: self.definition.name,
            ring: &self.ring,
            columns,
            rows: if is_constant {
                1
            } else {
                arguments.number_rows
            },
        };
        let result = (self.definition.run)(&call)?;
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}
