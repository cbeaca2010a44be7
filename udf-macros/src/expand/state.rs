//! `#[state]` fields, which are saved and loaded by name.

use proc_macro2::TokenStream;
use quote::quote;

use super::{function, local};
use crate::model::{Field, Role};

/// Returns the functions that save and load. `load` reads all fields before it assigns the first,
/// so that an error changes nothing.
pub(super) fn code(fields: &[Field]) -> TokenStream {
    let state = || {
        fields.iter().enumerate().filter_map(|(place, field)| match &field.role {
            Role::State(name) => {
                let state = function("state", &field.ty);
                Some((local(place), &field.ident, quote!(#state(#name))))
            }
            Role::Option(_) | Role::Shared | Role::Memory => None,
        })
    };
    if state().next().is_none() {
        return TokenStream::new();
    }
    let saves = state().map(|(_, ident, field)| quote!(#field.save(&self.#ident, __udf_state)?;));
    let reads = state().map(|(local, _, field)| quote!(let #local = #field.load(__udf_state)?;));
    let sets = state()
        .map(|(local, ident, _)| quote!(__udf::Slot(&mut self.#ident).__udf_restore(#local);));
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
