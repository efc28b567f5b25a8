//! Sealing: what is encrypted with which key, bound to which place.

use std::collections::BTreeMap;
use std::fmt;

use alter_core::secret::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;
use crate::model::{AppId, ApprovalId, CredentialId, DataKeyId, RegistrationId, SecretId, TicketId};

const NONCE_BYTES: usize = 24;
const FORMAT: u8 = 1;

/// 32 bytes wrapped by a master key.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which version of the master key wraps them.
    pub master_version: u32,
    /// Format number, nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped(master version {})", self.master_version)
    }
}

/// What sealed values belong to. It is bound into the seal, so they open nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SealedTo {
    /// A managed secret.
    Secret(SecretId),
    /// A credential.
    Credential(CredentialId),
    /// A ticket.
    Ticket(TicketId),
    /// An app's registration as a client.
    Registration(RegistrationId),
    /// An approval.
    Approval(ApprovalId),
}

impl SealedTo {
    /// The label and the id that are bound in.
    const fn bound(&self) -> (&'static str, &[u8; 16]) {
        match self {
            Self::Secret(id) => ("alter secret field v1", id.0.as_bytes()),
            Self::Credential(id) => ("alter credential field v1", id.0.as_bytes()),
            Self::Ticket(id) => ("alter ticket field v1", id.0.as_bytes()),
            Self::Approval(id) => ("alter approval field v1", id.0.as_bytes()),
            Self::Registration(id) => ("alter registration field v1", id.0.as_bytes()),
        }
    }
}

impl fmt::Display for SealedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(id) => write!(f, "secret {id}"),
            Self::Credential(id) => write!(f, "credential {id}"),
            Self::Ticket(id) => write!(f, "ticket {id}"),
            Self::Approval(id) => write!(f, "approval {id}"),
            Self::Registration(id) => write!(f, "registration {id}"),
        }
    }
}

macro_rules! sealed_to {
    ($($id:ident => $variant:ident),+) => {$(
        impl From<$id> for SealedTo {
            fn from(id: $id) -> Self {
                Self::$variant(id)
            }
        }
    )+};
}
sealed_to!(SecretId => Secret, CredentialId => Credential, TicketId => Ticket, RegistrationId => Registration, ApprovalId => Approval);

/// The sealed values of one version of a managed secret, a credential, a ticket, a registration or an approval.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The id of the data key that seals the fields.
    pub data_key: DataKeyId,
    /// That key, wrapped.
    pub wrapped: Wrapped,
    /// Field name → format number, nonce, ciphertext and tag.
    pub fields: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.fields.keys().collect();
        f.debug_struct("SealedSecret").field("data_key", &self.data_key).field("wrapped", &self.wrapped).field("fields", &names).finish()
    }
}

/// A symmetric key in memory.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct SealingKey([u8; 32]);

impl SealingKey {
    pub(super) fn random() -> Result<Self, KeyError> {
        let mut key = Self([0; 32]);
        getrandom::fill(&mut key.0)?;
        Ok(key)
    }

    pub(super) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let sealed = XChaCha20Poly1305::new((&self.0).into())
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: &place.associated_data() })
            .expect("only a text of 256 GiB is too long for the cipher");
        Ok([&[FORMAT], &nonce[..], &sealed].concat())
    }

    pub(super) fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let refused = || KeyError::Sealed { what: place.to_string() };
        let (format, rest) = sealed.split_first().ok_or_else(refused)?;
        if *format != FORMAT || rest.len() < NONCE_BYTES {
            return Err(refused());
        }
        let (nonce, sealed) = rest.split_at(NONCE_BYTES);
        XChaCha20Poly1305::new((&self.0).into())
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: &place.associated_data() })
            .map(Zeroizing::new)
            .map_err(|_| refused())
    }
}

/// Where a sealed value belongs. It is bound into the seal, so the value opens nowhere else.
pub(super) enum Place<'a> {
    /// A root key, wrapped by a version of the master key.
    Root { name: &'static str, master_version: u32 },
    /// A data key, wrapped by a version of the master key.
    DataKey { id: DataKeyId, master_version: u32 },
    /// A field, sealed by a data key.
    Field { app: AppId, of: SealedTo, field: &'a str, data_key: DataKeyId },
}

impl Place<'_> {
    /// A label of fixed meaning, then every part with its length in front: no two places have the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        match self {
            Self::Root { name, master_version } => joined("alter root key v1", &[name.as_bytes(), &master_version.to_be_bytes()]),
            Self::DataKey { id, master_version } => joined("alter data key v1", &[id.0.as_bytes(), &master_version.to_be_bytes()]),
            Self::Field { app, of, field, data_key } => {
                let (label, id) = of.bound();
                joined(label, &[app.0.as_bytes(), id, field.as_bytes(), data_key.0.as_bytes()])
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { name, .. } => write!(f, "{name} key"),
            Self::DataKey { id, .. } => write!(f, "data key {id}"),
            Self::Field { of, field, .. } => write!(f, "field {field} of {of}"),
        }
    }
}

fn joined(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = label.as_bytes().to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

pub(super) fn seal_fields(
    key: &SealingKey,
    data_key: DataKeyId,
    app: AppId,
    of: SealedTo,
    fields: &BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, Vec<u8>>, KeyError> {
    let seal = |(field, value): (&String, &Secret)| {
        let sealed = key.seal(&Place::Field { app, of, field, data_key }, value.expose().as_bytes())?;
        Ok((field.clone(), sealed))
    };
    fields.iter().map(seal).collect()
}

pub(super) fn open_fields(key: &SealingKey, app: AppId, of: SealedTo, sealed: &SealedSecret) -> Result<BTreeMap<String, Secret>, KeyError> {
    let open = |(field, bytes): (&String, &Vec<u8>)| {
        let place = Place::Field { app, of, field, data_key: sealed.data_key };
        let plain = key.open(&place, bytes)?;
        let text = std::str::from_utf8(&plain).map_err(|_| KeyError::Sealed { what: place.to_string() })?;
        Ok((field.clone(), Secret::new(text)))
    };
    sealed.fields.iter().map(open).collect()
}
