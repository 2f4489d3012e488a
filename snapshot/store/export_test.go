package store

// BucketURL is for tests, which reach no such host.
var BucketURL = bucketURL
