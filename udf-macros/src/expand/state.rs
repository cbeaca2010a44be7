//! `#[state]` fields, which are saved and loaded by name.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{function, local};
use crate::model::Udf;

/// Returns the functions that save and load. `load` reads all fields before it assigns the first,
/// so that an error changes nothing.
pub(super) fn code(model: &Udf) -> TokenStream {
    let (mut saves, mut reads, mut sets) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (field, state)) in model.states().enumerate() {
        let (local, ident, name) = (local(place), &field.ident, &state.name);
        let function = function("state", &field.ty);
        saves.push(quote!(#function(#name).save(&self.#ident, __udf_state)?;));
        let load = quote!(#function(#name).load(__udf_state)?);
        let set = quote!(__udf::Slot(&mut self.#ident).__udf_restore(#local););
        let Some(name_of_options) = state.name_of_options() else {
            reads.push(quote!(let #local = #load;));
            sets.push(set);
            continue;
        };
        let options = made_with(&state.made_with, model);
        saves.push(quote!(__udf::save_options(#name_of_options, #options, __udf_state)?;));
        reads.push(quote! {
            let #local = if __udf::is_made_with(#name, #name_of_options, #options, __udf_state)? {
                __udf::Some(#load)
            } else {
                __udf::None
            };
        });
        sets.push(quote!(if let __udf::Some(#local) = #local { #set }));
    }
    if saves.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn save(
            &self,
            __udf_state: &mut __udf::StateWriter,
        ) -> __udf::Result<()> {
            #(#saves)*
            __udf::Ok(())
        }
        fn load(
            &mut self,
            __udf_state: &mut __udf::StateReader<'_>,
        ) -> __udf::Result<()> {
            use __udf::Restore as _;
            #(#reads)*
            #(#sets)*
            __udf::Ok(())
        }
    }
}

/// Returns the names and the values of these options.
fn made_with(names: &[Ident], model: &Udf) -> TokenStream {
    let all = names.iter().filter_map(|name| {
        let (field, option) = model.options().find(|(field, _)| field.ident == *name)?;
        let (option, shown) = (option.name(), function("shown", &field.ty));
        Some(quote!((#option, #shown(&self.#name))))
    });
    quote!(&[#(#all),*])
}

/// Returns the statements that limit the number of groups of a new UDF.
pub(super) fn limits(model: &Udf, made: &Ident) -> TokenStream {
    let all = model.states().filter_map(|(field, state)| {
        let (ident, max) = (&field.ident, state.max.as_ref()?);
        let (option, _) = model.options().find(|(option, _)| option.ident == *max)?;
        let (limit, count) = (function("limit", &field.ty), function("max_groups", &option.ty));
        Some(quote!(#limit(&mut #made.#ident, #count(&#made.#max));))
    });
    all.collect()
}
