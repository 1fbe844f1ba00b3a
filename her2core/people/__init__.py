"""What a person may do and see: access, assignments and double reads.

In: an identity (see `her2core.accounts`) and the store. Out: what that person may read or write, or
`NotAllowedError` with one sentence. Open `access` for what the pages use, `assignments` for who is
to read what; what two blinded answers come to is in `her2core.reviews.double_reads`.
"""
