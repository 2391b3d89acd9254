"""The one form of phone numbers and e-mail addresses, for every channel that sends to them."""
