//! What an operator sees of a running server: four-letter words.

mod four_letter;
