//! `#[derive(OptionType)]`: an enum is a STRING out of a fixed set, a tuple struct several arguments.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields};

use super::argument::{argument, count};
use super::entries::{Entries, attribute};
use super::tables::{self, Table};
use super::udf::rename_all;
use super::{docs, krate};
use crate::errors::Errors;
use crate::model::{At, Choice, OptionShape, OptionType};
use crate::words::case::Case;

pub(crate) fn option_type(input: DeriveInput, errors: &mut Errors) -> OptionType {
    let table = match &input.data {
        Data::Enum(_) => tables::CHOICES,
        Data::Struct(_) | Data::Union(_) => tables::TUPLE,
    };
    let container = option(&input.attrs, table, errors);
    let krate = krate(&container, errors);
    let case = container
        .get("rename_all")
        .and_then(|entry| rename_all(entry, Case::ALL, errors))
        .unwrap_or(Case::Camel);
    let invalid = |errors: &mut Errors| {
        let message = "an option type is an enum, whose variants are its choices, or a tuple \
                       struct, whose members are its arguments: `struct Percent(f64);`";
        errors.at(&input.ident, message);
        OptionShape::Tuple(Vec::new())
    };
    let shape = match &input.data {
        Data::Enum(data) => OptionShape::Choices(choices(&input.ident, data, case, errors)),
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if !fields.unnamed.is_empty() => {
                count(&input.ident, fields.unnamed.len(), errors);
                for field in &fields.unnamed {
                    if let Some(attr) = field.attrs.iter().find(|a| a.path().is_ident("option")) {
                        errors.at(attr, "a member of an option type has no attributes of its own");
                    }
                    argument(&field.ty, errors);
                }
                OptionShape::Tuple(fields.unnamed.iter().map(|field| field.ty.clone()).collect())
            }
            _ => invalid(errors),
        },
        Data::Union(_) => invalid(errors),
    };
    OptionType { ident: input.ident, generics: input.generics, krate, shape }
}

/// Returns the entries of `#[option(...)]` on the type or a variant.
fn option(attrs: &[Attribute], table: Table, errors: &mut Errors) -> Entries {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("option"));
    attr.map_or_else(Entries::default, |attr| attribute(attr, table, errors))
}

fn choices(ident: &Ident, data: &DataEnum, case: Case, errors: &mut Errors) -> Vec<Choice> {
    if data.variants.is_empty() {
        errors.at(ident, "an enum without variants leaves nothing to choose");
    }
    let mut choices: Vec<Choice> = Vec::new();
    for variant in &data.variants {
        let entries = option(&variant.attrs, tables::CHOICE, errors);
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a choice is one STRING: its variant has no members";
            errors.at(&variant.fields, message);
        }
        let written = case.write(&variant.ident.unraw().to_string());
        let mut choice = Choice {
            ident: variant.ident.clone(),
            name: At { value: written, tokens: variant.ident.to_token_stream() },
            aliases: Vec::new(),
            help: docs(&variant.attrs),
        };
        for entry in entries.iter() {
            let Some(text) = entry.text(errors).cloned() else { continue };
            let name = At { value: text.value(), tokens: text.into_token_stream() };
            if entry.key == "name" {
                choice.name = name;
            } else {
                choice.aliases.push(name);
            }
        }
        let mut own: Vec<&str> = Vec::new();
        for name in std::iter::once(&choice.name).chain(&choice.aliases) {
            let taken = own.contains(&&*name.value)
                || choices.iter().any(|other| {
                    other.name.value == name.value
                        || other.aliases.iter().any(|alias| alias.value == name.value)
                });
            if taken {
                errors.at(&name.tokens, format_args!("the choice '{}' is there twice", name.value));
            }
            own.push(&name.value);
        }
        choices.push(choice);
    }
    choices
}
