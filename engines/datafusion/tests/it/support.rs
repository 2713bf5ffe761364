//! Functions called as the engine calls them, without the engine.

use std::{collections::HashMap, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array as _, ArrayRef, BinaryArray, StringArray},
        compute::cast,
        datatypes::{DataType, Field},
    },
    config::ConfigOptions,
    error::Result,
    logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF},
    scalar::ScalarValue,
};
use keyseal::{KeysetHandle, SecretAccess};
use keyseal_datafusion::KeyRing;

pub(crate) struct Functions(pub(crate) HashMap<String, Arc<ScalarUDF>>);

impl Functions {
    pub(crate) fn new(ring: KeyRing) -> Self {
        let mut all = HashMap::new();
        for function in keyseal_datafusion::functions(&Arc::new(ring)) {
            let function = Arc::new(function);
            for name in [function.name()].into_iter().chain(names(&function)) {
                assert!(
                    all.insert(name.to_owned(), Arc::clone(&function)).is_none(),
                    "{name}"
                );
            }
        }
        Self(all)
    }

    /// Calls a function as the engine does: the arguments have the types that it asks for.
    pub(crate) fn call(&self, name: &str, args: Vec<ColumnarValue>) -> Result<ColumnarValue> {
        let function = &self.0[name];
        let types: Vec<_> = args.iter().map(ColumnarValue::data_type).collect();
        let wanted = function.coerce_types(&types)?;
        let cast_to = |(argument, wanted): (ColumnarValue, &DataType)| match argument {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(cast(&array, wanted)?)),
            ColumnarValue::Scalar(scalar) => scalar.cast_to(wanted).map(ColumnarValue::Scalar),
        };
        let args = args.into_iter().zip(&wanted).map(cast_to);
        let args: Vec<_> = args.collect::<Result<_>>()?;
        let fields: Vec<_> = wanted
            .iter()
            .map(|wanted| Arc::new(Field::new("", wanted.clone(), true)))
            .collect();
        let literals: Vec<_> = args.iter().map(literal).collect();
        let return_field = function.return_field_from_args(ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &literals,
        })?;
        let number_rows = args.iter().find_map(rows).unwrap_or(1);
        let result = function.invoke_with_args(ScalarFunctionArgs {
            number_rows,
            arg_fields: fields,
            return_field: Arc::clone(&return_field),
            config_options: Arc::new(ConfigOptions::default()),
            args,
        })?;
        assert_eq!(result.data_type(), *return_field.data_type());
        if let ColumnarValue::Array(array) = &result {
            assert_eq!(array.len(), number_rows);
        }
        Ok(result)
    }

    pub(crate) fn error(&self, name: &str, args: Vec<ColumnarValue>) -> String {
        self.call(name, args).unwrap_err().strip_backtrace()
    }
}

fn names(function: &ScalarUDF) -> impl Iterator<Item = &str> {
    function.aliases().iter().map(String::as_str)
}

fn literal(argument: &ColumnarValue) -> Option<&ScalarValue> {
    match argument {
        ColumnarValue::Scalar(scalar) => Some(scalar),
        ColumnarValue::Array(_) => None,
    }
}

fn rows(argument: &ColumnarValue) -> Option<usize> {
    match argument {
        ColumnarValue::Scalar(_) => None,
        ColumnarValue::Array(array) => Some(array.len()),
    }
}

pub(crate) fn scalar(value: impl Into<ScalarValue>) -> ColumnarValue {
    ColumnarValue::Scalar(value.into())
}

pub(crate) fn binary(value: impl Into<Vec<u8>>) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::Binary(Some(value.into())))
}

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn generate(template: &str) -> KeysetHandle {
    KeysetHandle::generate(template).unwrap()
}

pub(crate) fn usual() -> Functions {
    Functions::new(
        KeyRing::new()
            .keyset("a", generate("AES256_GCM"))
            .keyset("d", generate("AES256_SIV"))
            .cleartext_keysets(SecretAccess::insecure()),
    )
}

pub(crate) fn keyset(functions: &Functions, name: &str) -> ColumnarValue {
    functions.call("keyset", vec![scalar(name)]).unwrap()
}

/// Returns the bytes of a result of one row.
pub(crate) fn bytes(result: ColumnarValue) -> Vec<u8> {
    let array = result.into_array(1).unwrap();
    let array: &BinaryArray = array.as_any().downcast_ref().unwrap();
    array.value(0).to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
