//! [`Column`]: the bytes of an argument, row by row, whatever its Arrow type.

use datafusion::{
    arrow::{
        array::{
            Array as _, ArrayAccessor, AsArray as _, BinaryArray, BinaryViewArray,
            FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray, StringArray, StringViewArray,
        },
        datatypes::DataType,
    },
    common::{internal_err, plan_err},
    error::Result,
    logical_expr::ColumnarValue,
    scalar::ScalarValue,
};

/// An argument. Text and binary are the same bytes.
pub(crate) enum Column<'a> {
    Scalar(Option<&'a [u8]>),
    Binary(&'a BinaryArray),
    BinaryView(&'a BinaryViewArray),
    FixedSizeBinary(&'a FixedSizeBinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    LargeText(&'a LargeStringArray),
    Text(&'a StringArray),
    TextView(&'a StringViewArray),
}

impl<'a> Column<'a> {
    pub(crate) fn new(argument: &'a ColumnarValue) -> Result<Self> {
        let array = match argument {
            ColumnarValue::Scalar(scalar) => return Ok(Self::Scalar(bytes(scalar)?)),
            ColumnarValue::Array(array) => array,
        };
        Ok(match array.data_type() {
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view()),
            DataType::FixedSizeBinary(_) => Self::FixedSizeBinary(array.as_fixed_size_binary()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string()),
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Utf8View => Self::TextView(array.as_string_view()),
            other => return internal_err!("{other} was not coerced to text or binary"),
        })
    }

    /// Returns whether all rows have one value.
    pub(crate) const fn is_scalar(&self) -> bool {
        matches!(self, Self::Scalar(_))
    }

    /// Returns the bytes of a row, or `None` for NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Scalar(value) => *value,
            Self::Binary(array) => valid(*array, row),
            Self::BinaryView(array) => valid(*array, row),
            Self::FixedSizeBinary(array) => valid(*array, row),
            Self::LargeBinary(array) => valid(*array, row),
            Self::LargeText(array) => valid(*array, row).map(str::as_bytes),
            Self::Text(array) => valid(*array, row).map(str::as_bytes),
            Self::TextView(array) => valid(*array, row).map(str::as_bytes),
        }
    }
}

fn valid<A: ArrayAccessor>(array: A, row: usize) -> Option<A::Item> {
    array.is_valid(row).then(|| array.value(row))
}

fn bytes(scalar: &ScalarValue) -> Result<Option<&[u8]>> {
    Ok(match scalar {
        ScalarValue::Null => None,
        ScalarValue::Binary(value)
        | ScalarValue::BinaryView(value)
        | ScalarValue::FixedSizeBinary(_, value)
        | ScalarValue::LargeBinary(value) => value.as_deref(),
        ScalarValue::LargeUtf8(value) | ScalarValue::Utf8(value) | ScalarValue::Utf8View(value) => {
            value.as_deref().map(str::as_bytes)
        }
        ScalarValue::Dictionary(_, value) => bytes(value)?,
        other => {
            return internal_err!("{} was not coerced to text or binary", other.data_type());
        }
    })
}

/// Returns the type that an argument is cast to: its own where [`Column`] reads it as it is.
pub(crate) fn coerced(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Binary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::LargeBinary
        | DataType::LargeUtf8
        | DataType::Utf8
        | DataType::Utf8View => Ok(data_type.clone()),
        DataType::Null => Ok(DataType::Binary),
        DataType::Dictionary(_, values) => coerced(function, values),
        other => plan_err!("{function} takes text and binary, not {other}: cast the argument"),
    }
}
