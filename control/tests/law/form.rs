//! From a declaration to a form, and from what was posted back to params.

use std::collections::BTreeMap;

use control::form::{FieldKind, fields, parse, unflatten};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Roast {
    /// Sour.
    Light,
    /// Bitter.
    VeryDark,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct Grinder {
    /// Turns of the mill.
    #[garde(range(min = 1, max = 20))]
    #[schemars(extend("x-unit" = "turns", "x-step" = 1))]
    turns: u32,
}

impl Default for Grinder {
    fn default() -> Self {
        Self { turns: 8 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct Coffee {
    /// How hot the water is.
    #[garde(range(min = 0.0, max = 100.0))]
    #[schemars(extend("x-unit" = "°C", "x-step" = 0.5))]
    water: f64,
    /// How long it brews.
    #[garde(range(min = 1))]
    brew_s: u16,
    /// With milk.
    #[garde(skip)]
    milk: bool,
    /// For whom.
    #[garde(length(min = 1, max = 10))]
    name: String,
    /// How the beans were roasted.
    #[garde(skip)]
    roast: Roast,
    /// One a line.
    #[garde(skip)]
    spices: Vec<String>,
    /// Notes by their name.
    #[garde(skip)]
    notes: BTreeMap<String, String>,
    /// Spoons of sugar, when any.
    #[garde(range(max = 5.0))]
    sugar: Option<f64>,
    /// Opens the machine.
    #[garde(skip)]
    #[schemars(extend("x-secret" = true))]
    key: Option<String>,
    #[garde(dive)]
    grinder: Grinder,
}

impl Default for Coffee {
    fn default() -> Self {
        Self {
            water: 92.5,
            brew_s: 30,
            milk: false,
            name: "guest".to_owned(),
            roast: Roast::Light,
            spices: vec![],
            notes: BTreeMap::new(),
            sugar: None,
            key: None,
            grinder: Grinder::default(),
        }
    }
}

fn problems(given: Value) -> Vec<(String, String)> {
    parse::<Coffee>(&given).expect_err("it is refused").into_iter().map(|error| (error.field, error.message)).collect()
}

#[test]
fn the_declaration_gives_the_fields_in_their_order() {
    let fields = fields::<Coffee>();
    let kinds: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            ("water", FieldKind::Number),
            ("brew_s", FieldKind::Integer),
            ("milk", FieldKind::Bool),
            ("name", FieldKind::Text),
            ("roast", FieldKind::Choice(vec!["light".to_owned(), "very_dark".to_owned()])),
            ("spices", FieldKind::Lines),
            ("notes", FieldKind::Map),
            ("sugar", FieldKind::Number),
            ("key", FieldKind::Text),
            ("grinder.turns", FieldKind::Integer),
        ]
    );
    let water = &fields[0];
    assert_eq!((water.title.as_str(), water.help.as_str()), ("Water", "How hot the water is."));
    assert_eq!((water.min, water.max, water.step), (Some(0.0), Some(100.0), Some(0.5)));
    assert_eq!((water.unit.as_deref(), &water.default), (Some("°C"), &json!(92.5)));
    assert_eq!(fields[1].title, "Brew");
    assert_eq!((fields[1].min, fields[1].max), (Some(1.0), Some(65535.0)));
    assert_eq!(fields[4].help, "How the beans were roasted. light: Sour. very_dark: Bitter.");
    assert_eq!(fields[7].default, Value::Null);
    assert!(fields[8].secret);
    let turns = &fields[9];
    assert_eq!((turns.title.as_str(), turns.default.clone(), turns.max), ("Turns", json!(8), Some(20.0)));
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(parse::<Coffee>(&json!({})), Ok(Coffee::default()));
    assert_eq!(parse::<Coffee>(&Value::Null), Ok(Coffee::default()));
}

#[test]
fn forms_post_strings_and_programs_post_types() {
    let coffee = Coffee {
        water: 1.5,
        brew_s: 40,
        milk: true,
        name: "Ada".to_owned(),
        roast: Roast::VeryDark,
        spices: vec!["clove".to_owned(), "  salt".to_owned()],
        notes: [("A".to_owned(), "1=2".to_owned()), ("B".to_owned(), String::new())].into(),
        sugar: None,
        key: None,
        grinder: Grinder { turns: 3 },
    };
    let posted = json!({
        "water": " 1.5 ", "brew_s": "40", "milk": "on", "name": "Ada", "roast": "very_dark",
        "spices": "clove\r\n\r\n  salt\n", "notes": "A=1=2\n\nB=\n", "sugar": "", "key": " ", "grinder": {"turns": "3"},
    });
    assert_eq!(parse::<Coffee>(&posted), Ok(coffee.clone()));
    assert_eq!(parse::<Coffee>(&serde_json::to_value(&coffee).unwrap()), Ok(coffee));
    assert_eq!(parse::<Coffee>(&json!({"brew_s": 40.0, "water": 90})).map(|coffee| coffee.brew_s), Ok(40));
}

#[test]
fn all_problems_come_at_once_each_by_its_field() {
    let given = json!({
        "water": "150", "brew_s": "1.5", "milk": "maybe", "name": "", "roast": "burnt",
        "spices": ["salt", 3], "notes": "A=1\nB\nA=2", "sugar": 9, "grinder": {"turns": 0, "teeth": 4}, "cup": "big",
    });
    let expected = [
        ("cup", "is not a parameter of this plugin; known are water, brew_s, milk, name, roast, spices, notes, sugar, key, grinder"),
        ("water", "must be between 0 and 100, was 150"),
        ("brew_s", "must be a whole number, was “1.5”"),
        ("milk", "must be true or false, was “maybe”"),
        ("name", "must not be empty"),
        ("roast", "must be one of light, very_dark, was “burnt”"),
        ("spices.1", "must be text, was 3"),
        ("notes", "line 2 must be KEY=value, was “B”"),
        ("notes", "line 3 sets A again"),
        ("sugar", "must be at most 5, was 9"),
        ("grinder.teeth", "is not a parameter of this plugin; known are turns"),
        ("grinder.turns", "must be between 1 and 20, was 0"),
    ];
    assert_eq!(problems(given), expected.map(|(field, message)| (field.to_owned(), message.to_owned())));
}

#[test]
fn odd_values_are_refused_in_words() {
    for (given, field, message) in [
        (json!({"water": "NaN"}), "water", "must be a finite number, was “NaN”"),
        (json!({"water": "-inf"}), "water", "must be a finite number, was “-inf”"),
        (json!({"water": "1e999"}), "water", "must be a finite number, was “1e999”"),
        (json!({"water": null}), "water", "must be a number such as 1.5, was nothing"),
        (json!({"water": ""}), "water", "must be a number such as 1.5, was empty"),
        (json!({"water": [1, 2]}), "water", "must be a number such as 1.5, was a list of 2"),
        (json!({"brew_s": 70000}), "brew_s", "must be between 1 and 65535, was 70000"),
        (json!({"brew_s": "99999999999999999999999"}), "brew_s", "must be between 1 and 65535, was 99999999999999999999999"),
        (json!({"brew_s": 1e300}), "brew_s", "must be between 1 and 65535, was 1e+300"),
        (json!({"name": "Ada Lovelace"}), "name", "must have 1 to 10 characters, had 12"),
        (json!({"name": 5}), "name", "must be text, was 5"),
        (json!({"grinder": 5}), "grinder", "must be an object with named fields, was 5"),
        (json!("coffee"), "", "must be an object with named fields, was “coffee”"),
    ] {
        assert_eq!(problems(given.clone()), [(field.to_owned(), message.to_owned())], "{given}");
    }
}

#[test]
fn dotted_names_become_objects_and_arrays() {
    let posted = [
        ("name", "a"),
        ("loops.0.name", "pace"),
        ("loops.0.controller.pid.kp", "1.5"),
        ("loops.10.name", "cpu"),
        ("loops.2.name", "tail"),
        ("both", "x"),
        ("both.part", "y"),
    ];
    let posted = posted.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(
        unflatten(&posted),
        json!({
            "name": "a",
            "loops": [{"name": "pace", "controller": {"pid": {"kp": "1.5"}}}, {"name": "tail"}, {"name": "cpu"}],
            "both": {"": "x", "part": "y"},
        })
    );
    assert_eq!(unflatten(&BTreeMap::new()), json!({}));
}

#[test]
fn a_hostile_name_nests_only_so_deep() {
    let posted = [("a.".repeat(1_000_000), "x".to_owned())].into();
    let mut depth = 0;
    let nested = unflatten(&posted);
    let mut inner = &nested;
    while let Some(next) = inner.as_object().and_then(|object| object.values().next()) {
        inner = next;
        depth += 1;
    }
    assert_eq!(depth, 16);
}
