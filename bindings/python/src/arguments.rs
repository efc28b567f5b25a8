//! Python values to the core's arguments.
//!
//! A value of a wrong type is not refused here: it is handed over as [`Arg::Wrong`], and the core decides which of several
//! mistakes is told, and how. Only exceptions that are no mistake of the caller's (`KeyboardInterrupt`, say) pass through.

use alter_core::client::{Arg, Body};
use alter_core::encoding::form_split;
use alter_core::given::Given as Value;
use alter_core::url::query::{QueryParams, QueryValue};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMapping, PySet, PyString, PyTuple, PyType};

/// One argument as Python gave it.
type Given<'a, 'py> = &'a Bound<'py, PyAny>;

const LONE_SURROGATE: &str = "text with half a surrogate pair";

/// The name of a value's type, as messages say it.
pub fn type_name(value: Given<'_, '_>) -> String {
    match value.get_type().name() {
        Ok(name) => name.to_string(),
        Err(_) => "an object without a readable type".to_owned(),
    }
}

fn wrong<T>(value: Given<'_, '_>) -> Arg<T> {
    Arg::Wrong(type_name(value))
}

/// Text, or what an enum of text stands for.
pub fn text(value: Given<'_, '_>) -> Arg<String> {
    if value.is_none() {
        return Arg::Absent;
    }
    match value.cast::<PyString>() {
        Ok(text) => match text.to_str() {
            Ok(text) => Arg::Value(text.to_owned()),
            Err(_) => Arg::Wrong(LONE_SURROGATE.to_owned()),
        },
        Err(_) => wrong(value),
    }
}

static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ENCODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static IS_COROUTINE_FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The package whose classes the core knows by name.
const MODELS: &str = "alter_sdk.models";

/// Gets what the conversions need from Python's library, when this module is imported. Later, a fork could come while one thread is at
/// it, and the child would wait for that thread for ever.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    UUID.import(py, "uuid", "UUID")?;
    ENCODE.get_or_try_init(py, || json_encoder(py))?;
    IS_COROUTINE_FUNCTION.get_or_try_init(py, || py.import("inspect")?.getattr("iscoroutinefunction").map(Bound::unbind))?;
    Ok(())
}

/// An id: text, or a `uuid.UUID`, which goes out as its text.
pub fn id<'py>(value: Given<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let uuid = UUID.import(value.py(), "uuid", "UUID")?;
    if value.is_instance(uuid)? { Ok(value.str()?.into_any()) } else { Ok(value.clone()) }
}

/// Any JSON value, as compact text in UTF-8. Python's own encoder writes it, so that no number is printed anew.
pub fn json(value: Given<'_, '_>) -> PyResult<Arg<String>> {
    let py = value.py();
    if value.is_none() {
        return Ok(Arg::Absent);
    }
    let encode = ENCODE.get_or_try_init(py, || json_encoder(py))?;
    match encode.bind(py).call1((value,)) {
        Ok(written) => Ok(text(&written)),
        Err(error) if error.is_instance_of::<PyException>(py) => {
            Ok(Arg::Wrong(format!("{} ({})", type_name(value), error.value(py).str()?.to_string_lossy())))
        }
        Err(error) => Err(error),
    }
}

fn json_encoder(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let options = PyDict::new(py);
    options.set_item("ensure_ascii", false)?;
    options.set_item("allow_nan", false)?;
    options.set_item("separators", (",", ":"))?;
    let encoder = py.import("json")?.getattr("JSONEncoder")?.call((), Some(&options))?;
    Ok(encoder.getattr("encode")?.unbind())
}

/// Names and values, as Python objects.
type Items<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// The items of a mapping, or `None` if the value is none.
fn items<'py>(value: Given<'_, 'py>) -> PyResult<Option<Items<'py>>> {
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(Some(dict.iter().collect()));
    }
    let Ok(mapping) = value.cast::<PyMapping>() else { return Ok(None) };
    mapping.items()?.iter().map(|item| item.extract()).collect::<PyResult<_>>().map(Some)
}

/// A map of text to text, in its order.
pub fn texts(value: Given<'_, '_>) -> PyResult<Arg<Vec<(String, String)>>> {
    if value.is_none() {
        return Ok(Arg::Absent);
    }
    let Some(items) = items(value)? else { return Ok(wrong(value)) };
    let mut out = Vec::with_capacity(items.len());
    for (name, value) in &items {
        match (text(name), text(value)) {
            (Arg::Value(name), Arg::Value(value)) => out.push((name, value)),
            (Arg::Value(_), _) => return Ok(Arg::Wrong(format!("a map with a value of type {}", type_name(value)))),
            (_, _) => return Ok(Arg::Wrong(format!("a map with a name of type {}", type_name(name)))),
        }
    }
    Ok(Arg::Value(out))
}

/// Query parameters: a map, a sequence of pairs, or an encoded query.
pub fn query(value: Given<'_, '_>) -> PyResult<Arg<QueryParams>> {
    if value.is_none() {
        return Ok(Arg::Absent);
    }
    if let Arg::Value(encoded) = text(value) {
        let pairs = form_split(&encoded).into_iter().map(|(name, value)| (name, QueryValue::Text(value)));
        return Ok(Arg::Value(pairs.collect()));
    }
    let items = match items(value)? {
        Some(items) => items,
        None => match pairs(value) {
            Some(pairs) => pairs,
            None => return Ok(wrong(value)),
        },
    };
    parameters(&items)
}

fn pairs<'py>(value: Given<'_, 'py>) -> Option<Items<'py>> {
    let is_sequence = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    is_sequence.then(|| value.extract().ok()).flatten()
}

fn parameters(items: &[(Bound<'_, PyAny>, Bound<'_, PyAny>)]) -> PyResult<Arg<QueryParams>> {
    let mut out = Vec::with_capacity(items.len());
    for (name, value) in items {
        let Some(name) = printed(name)? else { return Ok(Arg::Wrong(LONE_SURROGATE.to_owned())) };
        let Some(value) = query_value(value)? else { return Ok(Arg::Wrong(LONE_SURROGATE.to_owned())) };
        out.push((name, value));
    }
    Ok(Arg::Value(out))
}

fn query_value(value: Given<'_, '_>) -> PyResult<Option<QueryValue>> {
    if value.is_none() {
        return Ok(Some(QueryValue::Null));
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Some(QueryValue::Bool(flag.is_true())));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let values = value.try_iter()?.map(|entry| query_value(&entry?)).collect::<PyResult<Option<Vec<_>>>>()?;
        return Ok(values.map(QueryValue::List));
    }
    Ok(printed(value)?.map(QueryValue::Text))
}

/// What Python prints for a value; `None` for text that is not valid Unicode.
fn printed(value: Given<'_, '_>) -> PyResult<Option<String>> {
    Ok(value.str()?.to_str().ok().map(str::to_owned))
}

/// A body that is no JSON: bytes, text (as UTF-8), or a map, which is sent as a form.
pub fn body(value: Given<'_, '_>) -> PyResult<Arg<Body>> {
    if value.is_none() {
        return Ok(Arg::Absent);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Arg::Value(Body::Raw(bytes.as_bytes().to_vec().into())));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(match text(value) {
            Arg::Value(text) => Arg::Value(Body::Raw(text.into_bytes().into())),
            Arg::Wrong(got) => Arg::Wrong(got),
            Arg::Absent => Arg::Absent,
        });
    }
    // A bytearray or a memoryview is bytes that the caller can still change, so they are copied now.
    if let Ok(bytes) = value.extract::<pyo3::pybacked::PyBackedBytes>() {
        return Ok(Arg::Value(Body::Raw(bytes.to_vec().into())));
    }
    let Some(items) = items(value)? else { return Ok(wrong(value)) };
    Ok(match parameters(&items)? {
        Arg::Value(parameters) => Arg::Value(Body::Form(parameters)),
        Arg::Wrong(got) => Arg::Wrong(got),
        Arg::Absent => Arg::Absent,
    })
}

/// Any value as it is, for the core to judge.
pub fn given(value: Given<'_, '_>) -> PyResult<Value> {
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Flag(flag.is_true()));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(match text(value) {
            Arg::Value(text) => Value::Text(text),
            Arg::Wrong(what) => Value::Other(what),
            Arg::Absent => Value::Null,
        });
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract().map_or_else(|_| large(value), Value::Whole));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Number(value.extract()?));
    }
    if value.is_instance_of::<PyList>() {
        return elements(value).map(Value::List);
    }
    if value.is_instance_of::<PyTuple>() {
        return elements(value).map(Value::Tuple);
    }
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return elements(value).map(Value::Set);
    }
    if let Some(items) = items(value)? {
        return members(&items).map(Value::Map);
    }
    other(value)
}

/// A whole number by its digits, unless they are so many that Python does not write them.
fn large(value: Given<'_, '_>) -> Value {
    let digits = value.py().get_type::<PyInt>().call_method1("__repr__", (value,)).and_then(|digits| digits.extract());
    digits.map_or_else(|_| Value::Other("a number with thousands of digits".to_owned()), Value::Large)
}

fn elements(value: Given<'_, '_>) -> PyResult<Vec<Value>> {
    value.try_iter()?.map(|entry| given(&entry?)).collect()
}

fn members(items: &[(Bound<'_, PyAny>, Bound<'_, PyAny>)]) -> PyResult<Vec<(Value, Value)>> {
    items.iter().map(|(name, value)| Ok((given(name)?, given(value)?))).collect()
}

/// A model of ours, a function, or something that the core knows only by its type's name.
fn other(value: Given<'_, '_>) -> PyResult<Value> {
    if let Some(name) = model_name(value)? {
        // As JSON has them: a time is its text.
        let options = PyDict::new(value.py());
        options.set_item("mode", "json")?;
        let fields = value.call_method("model_dump", (), Some(&options))?;
        let fields = items(&fields)?.unwrap_or_default();
        return Ok(Value::Model(name, members(&fields)?));
    }
    if value.is_instance(UUID.import(value.py(), "uuid", "UUID")?)? {
        return Ok(Value::Id(value.str()?.to_string_lossy().into_owned()));
    }
    if value.is_callable() && !value.is_instance_of::<PyType>() {
        return Ok(Value::Function { awaited: is_coroutine_function(value)? });
    }
    Ok(Value::Other(type_name(value)))
}

/// The name of the public model that the value is, or is derived from.
fn model_name(value: Given<'_, '_>) -> PyResult<Option<String>> {
    for class in value.get_type().mro() {
        let module = class.getattr("__module__")?;
        let ours = module.extract::<String>().is_ok_and(|module| module.starts_with(MODELS));
        if ours {
            return class.getattr("__name__")?.extract().map(Some);
        }
    }
    Ok(None)
}

fn is_coroutine_function(value: Given<'_, '_>) -> PyResult<bool> {
    let py = value.py();
    let test = IS_COROUTINE_FUNCTION.get_or_try_init(py, || py.import("inspect")?.getattr("iscoroutinefunction").map(Bound::unbind))?;
    let test = test.bind(py);
    Ok(test.call1((value,))?.is_truthy()? || test.call1((value.getattr("__call__")?,))?.is_truthy()?)
}
