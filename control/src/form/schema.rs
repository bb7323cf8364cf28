//! Reads the JSON schema of a params struct into a tree of objects and leaves.
//! Only the shapes that a form can show exist here; any other is a mistake of the plugin's author.

use schemars::{JsonSchema, generate::SchemaGenerator};
use serde_json::{Map, Value};

use super::{Field, FieldKind};

pub enum Node {
    Object(Vec<(String, Node)>),
    Leaf(Leaf),
}

pub struct Leaf {
    pub kind: FieldKind,
    pub help: String,
    pub title: Option<String>,
    pub unit: Option<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub step: Option<f64>,
    /// Fewest and most characters of a text.
    pub length: (Option<u64>, Option<u64>),
    pub secret: bool,
    /// An `Option`: null and an empty text mean none.
    pub optional: bool,
}

pub fn read<P: JsonSchema>() -> Node {
    let root = SchemaGenerator::default().into_root_schema_for::<P>().to_value();
    let node = node(&root, &root, "");
    assert!(matches!(node, Node::Object(_)), "params must be a struct with named fields");
    node
}

impl Node {
    pub fn flatten(&self, name: &str, default: &Value, into: &mut Vec<Field>) {
        match self {
            Self::Object(members) => {
                for (key, member) in members {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    member.flatten(&name, &default[key.as_str()], into);
                }
            }
            Self::Leaf(leaf) => into.push(Field {
                name: name.to_owned(),
                title: leaf.title.clone().unwrap_or_else(|| title(name)),
                help: leaf.help.clone(),
                kind: leaf.kind.clone(),
                unit: leaf.unit.clone(),
                min: leaf.min,
                max: leaf.max,
                step: leaf.step,
                default: default.clone(),
                secret: leaf.secret,
            }),
        }
    }
}

/// `guards.cooldown_s` → `Cooldown`.
fn title(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    let bare = ["_s", "_ms", "_bytes"].iter().find_map(|unit| last.strip_suffix(unit)).unwrap_or(last);
    let words = bare.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn node(schema: &Value, root: &Value, path: &str) -> Node {
    let (schema, optional) = resolve(schema, root);
    if let Some(members) = schema.get("properties").and_then(Value::as_object) {
        let members = members.iter().map(|(key, member)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            (key.clone(), node(member, root, &path))
        });
        return Node::Object(members.collect());
    }
    let choices = choices(&schema);
    let kind = if choices.is_empty() {
        match kind(&schema, root) {
            Some(kind) => kind,
            None if path.is_empty() => return Node::Object(Vec::new()),
            None => panic!("no form can show the type of `{path}`: {}", Value::Object(schema)),
        }
    } else {
        FieldKind::Choice(choices.iter().map(|(value, _)| value.clone()).collect())
    };
    let mut help = text(&schema, "description").unwrap_or_default();
    for (value, meaning) in &choices {
        if let Some(meaning) = meaning {
            help.push_str(&format!(" {value}: {meaning}"));
        }
    }
    Node::Leaf(Leaf {
        kind,
        help: help.replace('\n', " ").trim().to_owned(),
        title: text(&schema, "title"),
        unit: text(&schema, "x-unit"),
        min: schema.get("minimum").and_then(Value::as_f64),
        max: schema.get("maximum").and_then(Value::as_f64).or_else(|| largest(&schema)),
        step: schema.get("x-step").and_then(Value::as_f64),
        length: (schema.get("minLength").and_then(Value::as_u64), schema.get("maxLength").and_then(Value::as_u64)),
        secret: schema.get("x-secret").and_then(Value::as_bool).unwrap_or(false),
        optional,
    })
}

/// Follows references, and takes the null out of an optional type. What stands beside a reference wins.
fn resolve(schema: &Value, root: &Value) -> (Map<String, Value>, bool) {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    let mut optional = false;
    loop {
        if let Some(Value::String(reference)) = schema.remove("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            for (key, value) in target.and_then(Value::as_object).into_iter().flatten() {
                schema.entry(key.clone()).or_insert_with(|| value.clone());
            }
            continue;
        }
        let Some(Value::Array(any)) = schema.get("anyOf") else { break };
        let some: Vec<_> = any.iter().filter(|one| one["type"] != "null").cloned().collect();
        let [Value::Object(only)] = some.as_slice() else { break };
        optional |= some.len() < any.len();
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
    }
    if let Some(Value::Array(types)) = schema.get("type").cloned() {
        let some: Vec<_> = types.iter().filter(|one| *one != "null").cloned().collect();
        optional |= some.len() < types.len();
        if let [only] = some.as_slice() {
            schema.insert("type".to_owned(), only.clone());
        }
    }
    (schema, optional)
}

fn kind(schema: &Map<String, Value>, root: &Value) -> Option<FieldKind> {
    match schema.get("type")?.as_str()? {
        "number" => Some(FieldKind::Number),
        "integer" => Some(FieldKind::Integer),
        "boolean" => Some(FieldKind::Bool),
        "string" => Some(FieldKind::Text),
        "array" if holds_text(schema.get("items"), root) => Some(FieldKind::Lines),
        "object" if holds_text(schema.get("additionalProperties"), root) => Some(FieldKind::Map),
        _ => None,
    }
}

fn holds_text(inner: Option<&Value>, root: &Value) -> bool {
    inner.is_some_and(|inner| resolve(inner, root).0.get("type").is_some_and(|kind| kind == "string"))
}

/// The words of an enum of plain variants, each with its doc comment when it has one.
fn choices(schema: &Map<String, Value>) -> Vec<(String, Option<String>)> {
    if let Some(Value::Array(words)) = schema.get("enum") {
        return words.iter().filter_map(Value::as_str).map(|word| (word.to_owned(), None)).collect();
    }
    let Some(Value::Array(variants)) = schema.get("oneOf") else { return Vec::new() };
    let mut all = Vec::new();
    for variant in variants.iter().filter_map(Value::as_object) {
        match variant.get("const").and_then(Value::as_str) {
            Some(word) => all.push((word.to_owned(), text(variant, "description"))),
            None => all.extend(choices(variant)),
        }
    }
    all
}

/// The largest value of a whole number's own type, where a form would otherwise let it overflow.
fn largest(schema: &Map<String, Value>) -> Option<f64> {
    match schema.get("format")?.as_str()? {
        "uint8" => Some(f64::from(u8::MAX)),
        "uint16" => Some(f64::from(u16::MAX)),
        "uint32" => Some(f64::from(u32::MAX)),
        "int32" => Some(f64::from(i32::MAX)),
        _ => None,
    }
}

fn text(schema: &Map<String, Value>, key: &str) -> Option<String> {
    schema.get(key).and_then(Value::as_str).map(str::to_owned)
}
