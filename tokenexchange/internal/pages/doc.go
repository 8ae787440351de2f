// Package pages is everything that a person sees: the pages of login, consent,
// account, logout and failure, their stylesheet, their languages and the headers
// that they are sent with.
//
// A caller fills in a view, such as Consent, and calls Show. A view holds what is
// so, in the words of the protocol; the words that a person reads are made here.
// Everything in a view may come from a stranger: it is escaped by the place where
// it stands, and isolated from the direction of the text around it.
//
// A page is one response. It runs no script, loads nothing, is in no frame, is
// kept nowhere, and its forms lead only to this server and to the targets that
// Show was told.
//
// An operator replaces looks and words with a directory (New). It is read and
// tried out once; after that nothing can fail but the connection.
package pages
