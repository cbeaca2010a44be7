//! The model of an item: the author's attributes and types, with their tokens.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Expr, Generics, LitStr, Type};

use crate::words::case::Case;

/// A value, and the tokens to edit if it is invalid.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) tokens: TokenStream,
}

/// The path of the runtime: `::udf_runtime`, or that of `crate = path`.
pub(crate) struct Runtime(pub(crate) TokenStream);

/// The text of doc comments. An expression may be an `include_str!`.
pub(crate) type Doc = Vec<Expr>;

/// A struct with `#[udf]`.
pub(crate) struct Udf {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) help: Doc,
    pub(crate) args: UdfArgs,
    pub(crate) fields: Vec<Field>,
}

impl Udf {
    /// Returns the fields that are options.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&Field, &OptionField)> {
        self.fields.iter().filter_map(|field| match &field.role {
            Role::Option(option) => Some((field, &**option)),
            Role::State(_) | Role::Shared | Role::Memory => None,
        })
    }

    /// Returns the fields that are state.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&Field, &StateField)> {
        self.fields.iter().filter_map(|field| match &field.role {
            Role::State(state) => Some((field, state)),
            Role::Option(_) | Role::Shared | Role::Memory => None,
        })
    }
}

/// The arguments of `#[udf(...)]`.
pub(crate) struct UdfArgs {
    pub(crate) wants: Option<Edge>,
    pub(crate) provides: Option<Edge>,
    pub(crate) on_missing: At<OnMissing>,
    pub(crate) tick: Option<Tick>,
    /// The type of the points, as it was written.
    pub(crate) point: Option<Type>,
    /// The paths of the author's counters and gauges.
    pub(crate) metrics: Vec<Expr>,
    pub(crate) rename_all: Case,
    /// The name of the UDF, if it is not that of the struct.
    pub(crate) name: Option<At<String>>,
    /// Each is a set of options. A task must call at least one of each set.
    pub(crate) at_least_one_of: Vec<Vec<Ident>>,
}

/// The interval of ticks.
pub(crate) enum Tick {
    /// In nanoseconds.
    Is(At<u64>),
    /// In the field of this name.
    Field(Ident),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Stream,
    Batch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnMissing {
    Skip,
    Pass,
    Fail,
}

pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) role: Role,
}

pub(crate) enum Role {
    Option(Box<OptionField>),
    State(StateField),
    /// Made once by the process.
    Shared,
    /// None of these.
    Memory,
}

/// A field with `#[state]`.
pub(crate) struct StateField {
    /// The name under which it is saved.
    pub(crate) name: String,
    /// The options that give the value its meaning.
    pub(crate) made_with: Vec<Ident>,
    /// The option that limits the number of groups.
    pub(crate) max: Option<Ident>,
}

impl StateField {
    /// Returns the name under which the options of `made_with` are saved.
    pub(crate) fn name_of_options(&self) -> Option<String> {
        (!self.made_with.is_empty()).then(|| format!("{}.made_with", self.name))
    }
}

/// A field with `#[option]`.
pub(crate) struct OptionField {
    /// `None` if the written name is invalid.
    pub(crate) name: Option<At<String>>,
    pub(crate) aliases: Vec<At<String>>,
    pub(crate) help: Doc,
    /// How often a task may call it.
    pub(crate) calls: Calls,
    /// Whether every task must call it, as far as the name of the type shows.
    pub(crate) required: bool,
    /// The type of one call.
    pub(crate) value: Type,
    pub(crate) default: Option<Default>,
    pub(crate) range: Option<Range>,
    pub(crate) len: Option<Range>,
    pub(crate) parse: Option<Ident>,
    pub(crate) flag: bool,
    pub(crate) validate: Option<Expr>,
    /// The rule of `validate` or `parse` in words.
    pub(crate) must_be: Option<LitStr>,
    /// The key `hidden`, if `info` does not show the option.
    pub(crate) hidden: Option<Ident>,
    pub(crate) conflicts: Vec<Ident>,
    pub(crate) requires: Vec<Ident>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) example: Option<Value>,
    /// The environment variable that replaces a call.
    pub(crate) env: Option<LitStr>,
    /// The key `secret`, if its values are never shown.
    pub(crate) secret: Option<Ident>,
}

impl OptionField {
    /// Returns the name that a TICKscript calls.
    pub(crate) fn name(&self) -> &str {
        &self.name.as_ref().expect("a model exists only without errors").value
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    Once,
    AtMostOnce,
    Any,
}

pub(crate) enum Default {
    /// The `Default` of the type; the key is for messages.
    OfType(Ident),
    /// An expression.
    Is(Value),
}

impl Default {
    /// Returns the tokens to edit.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Default::OfType(key) => key.to_token_stream(),
            Default::Is(value) => value.written.to_token_stream(),
        }
    }
}

/// A value in an attribute.
#[derive(Clone)]
pub(crate) struct Value {
    /// As it was written.
    pub(crate) written: Expr,
    /// The expression of the option's type: `"10s"` becomes a Duration.
    pub(crate) code: TokenStream,
}

/// `1..`, `..=5`, or the path of a constant.
pub(crate) struct Range {
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    /// Whether `min` itself is not within: the key `above`.
    pub(crate) above: bool,
    /// Whether `max` itself is within.
    pub(crate) inclusive: bool,
    /// The tokens to edit.
    pub(crate) written: Expr,
    /// The keys and values, for messages.
    pub(crate) shown: String,
}

/// An enum or a struct with `#[derive(OptionType)]`.
pub(crate) struct OptionType {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) shape: OptionShape,
}

pub(crate) enum OptionShape {
    /// A STRING out of a fixed set. `true` if upper and lower case are equal.
    Choices(Vec<Choice>, bool),
    /// The arguments of its members.
    Struct(Vec<(syn::Member, Type)>),
}

/// A variant of an enum, as a STRING.
pub(crate) struct Choice {
    pub(crate) ident: Ident,
    pub(crate) name: At<String>,
    pub(crate) aliases: Vec<At<String>>,
    pub(crate) help: Doc,
}

/// A struct with `#[derive(FromPoint)]` or `#[derive(Fields)]`.
pub(crate) struct Typed {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) members: Vec<Member>,
}

pub(crate) struct Member {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) source: Source,
}

/// The part of a point that a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The field of this name.
    Field(String),
    /// The tag of this name.
    Tag(String),
    Time,
    Group,
    Point,
}
