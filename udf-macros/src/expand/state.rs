//! State: fields that are saved and loaded by name.

use proc_macro2::TokenStream;
use quote::quote;

use super::{function, local};
use crate::model::{Field, Role};

fn state(fields: &[Field]) -> impl Iterator<Item = (usize, &Field, &String)> {
    fields.iter().enumerate().filter_map(|(place, field)| match &field.role {
        Role::State(name) => Some((place, field, name)),
        Role::Option(_) | Role::Memory => None,
    })
}

/// Saves every `#[state]` field by its name.
pub(super) fn save(fields: &[Field], krate: &TokenStream) -> TokenStream {
    if state(fields).next().is_none() {
        return quote! {
            let _ = __udf_state;
            #krate::__private::Ok(())
        };
    }
    let fields = state(fields).map(|(_, field, name)| {
        let (ident, ty) = (&field.ident, &field.ty);
        let state = function(krate, "state", ty);
        quote!(#state(#name).save(&self.#ident, __udf_state)?;)
    });
    quote! {
        #(#fields)*
        #krate::__private::Ok(())
    }
}

/// Reads everything first and assigns after: an error changes nothing.
pub(super) fn load(fields: &[Field], krate: &TokenStream) -> TokenStream {
    if state(fields).next().is_none() {
        return quote! {
            let _ = __udf_state;
            #krate::__private::Ok(())
        };
    }
    let reads = state(fields).map(|(place, field, name)| {
        let (local, state) = (local(place), function(krate, "state", &field.ty));
        quote!(let #local = #state(#name).load(__udf_state)?;)
    });
    let sets = state(fields).map(|(place, field, _)| {
        let (local, ident) = (local(place), &field.ident);
        quote!(#krate::__private::Slot(&mut self.#ident).__udf_restore(#local);)
    });
    quote! {
        use #krate::__private::Restore as _;
        #(#reads)*
        #(#sets)*
        #krate::__private::Ok(())
    }
}
