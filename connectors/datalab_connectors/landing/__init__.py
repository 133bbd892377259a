"""Having a file brought by a connector of ours (EDC, a Simpl node): pulled under a grant, pushed to us, or written into a bucket lent."""
