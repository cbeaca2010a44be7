//! `#[derive(OptionType)]`: an enum is a STRING out of a fixed set, a struct several arguments.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields};

use super::argument::{argument, count};
use super::entries::{Entries, attribute};
use super::tables::{self, Table};
use super::udf::rename_all;
use super::{docs, runtime};
use crate::errors::Errors;
use crate::model::{At, Choice, OptionShape, OptionType, Runtime};
use crate::words::case::Case;

pub(crate) fn option_type(input: DeriveInput, errors: &mut Errors) -> (Runtime, OptionType) {
    let table = match &input.data {
        Data::Enum(_) => tables::CHOICES,
        Data::Struct(_) | Data::Union(_) => tables::STRUCT,
    };
    let container = option(&input.attrs, table, errors);
    let runtime = runtime(&container, errors);
    let case = container
        .get("rename_all")
        .and_then(|entry| rename_all(entry, Case::ALL, errors))
        .unwrap_or(Case::Camel);
    let invalid = |errors: &mut Errors| {
        let message = "expected an enum, with a variant for each choice, or a struct, with a member \
                       for each argument: `struct Limits { low: f64, high: f64 }`";
        errors.at(&input.ident, message);
        OptionShape::Struct(Vec::new())
    };
    let shape = match &input.data {
        Data::Enum(data) => {
            let ignore_case = container.bare("ignore_case", errors).is_some();
            let choices = choices(&input.ident, data, case, ignore_case, errors);
            OptionShape::Choices(choices, ignore_case)
        }
        Data::Struct(data) if !data.fields.is_empty() => {
            count(&input.ident, data.fields.len(), errors);
            for field in &data.fields {
                if let Some(attr) = field.attrs.iter().find(|a| a.path().is_ident("option")) {
                    errors.at(attr, "a member of an option type cannot have `#[option]`");
                }
                argument(&field.ty, errors);
            }
            let types = data.fields.iter().map(|field| field.ty.clone());
            OptionShape::Struct(data.fields.members().zip(types).collect())
        }
        Data::Struct(_) | Data::Union(_) => invalid(errors),
    };
    (runtime, OptionType { ident: input.ident, generics: input.generics, shape })
}

/// Returns the entries of `#[option(...)]` on the type or a variant.
fn option(attrs: &[Attribute], table: Table, errors: &mut Errors) -> Entries {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("option"));
    attr.map_or_else(Entries::default, |attr| attribute(attr, table, errors))
}

fn choices(
    ident: &Ident,
    data: &DataEnum,
    case: Case,
    ignore_case: bool,
    errors: &mut Errors,
) -> Vec<Choice> {
    if data.variants.is_empty() {
        errors.at(ident, "the enum must have at least one variant");
    }
    let (mut choices, mut taken) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        let entries = option(&variant.attrs, tables::CHOICE, errors);
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a variant of an option type cannot have members";
            errors.at(&variant.fields, message);
        }
        let written = case.write(&variant.ident.unraw().to_string());
        let own = At { value: written, tokens: variant.ident.to_token_stream() };
        let choice = Choice {
            ident: variant.ident.clone(),
            name: entries.get("name").and_then(|entry| entry.name(errors)).unwrap_or(own),
            aliases: entries.all("alias").filter_map(|entry| entry.name(errors)).collect(),
            help: docs(&variant.attrs),
        };
        for name in std::iter::once(&choice.name).chain(&choice.aliases) {
            let text = if ignore_case { name.value.to_lowercase() } else { name.value.clone() };
            if taken.contains(&text) {
                errors.at(&name.tokens, format_args!("duplicate choice '{}'", name.value));
            }
            taken.push(text);
        }
        choices.push(choice);
    }
    choices
}
