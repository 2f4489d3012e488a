package kube

import (
	"fmt"
	"strings"
	"testing"

	"weft.dev/test/process"
)

const (
	// firstRow is how many pages in a row must be as wanted until the change counts as arrived.
	firstRow = 20
	// sample is how many pages shares are counted over, and tolerance how far they may be off: 4 standard deviations at one half.
	sample    = 200
	tolerance = 15 // percent of the sample
)

// TestBookinfoWithoutMesh: the cluster and the parts work by themselves.
func TestBookinfoWithoutMesh(t *testing.T) {
	namespace := Namespace(t, "bookinfo-plain")
	Apply(t, namespace, Sample(t, "platform/kube/bookinfo.yaml"))
	Rollout(t, namespace)
	await(t, ServiceURL(t, namespace, "productpage"), view{})
}

// view is what a user sees of the pages.
type view struct {
	user    string
	reviews map[string]int // percent by version; nil: any version
	ratings string         // version, or an error's beginning; "": any, or none
	details string         // the same
	missing bool           // there are no reviews
}

// shows says what is wrong with one page.
func (v view) shows(page Page) error {
	is := func(wanted, version, failure string) bool {
		return wanted == "" && failure == "" || wanted != "" && (wanted == version || strings.Contains(failure, wanted))
	}
	r := page.Reviews
	switch {
	case v.missing && r.Error == "", !v.missing && r.Error != "", !is(v.details, page.Details.Version, page.Details.Error),
		!is(v.ratings, r.Ratings.Version, r.Ratings.Error) && r.Version != "v1", v.reviews != nil && v.reviews[r.Version] == 0:
		return fmt.Errorf("a page of user %q is %+v, want %+v", v.user, page, v)
	}
	return nil
}

// await waits until a user's pages are as wanted.
func await(t *testing.T, url string, v view) {
	t.Helper()
	err := process.Until(Patience, func() error {
		for range firstRow {
			page, err := Productpage(url, v.user)
			if err == nil {
				err = v.shows(page)
			}
			if err != nil {
				return err
			}
			if v.missing {
				return nil // each takes seconds
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// count checks the shares of versions.
func count(t *testing.T, url string, v view) {
	t.Helper()
	seen := map[string]int{}
	for range sample {
		page, err := Productpage(url, v.user)
		if err == nil {
			err = v.shows(page)
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[page.Reviews.Version]++
	}
	for version, percent := range v.reviews {
		if share := seen[version] * 100 / sample; share < percent-tolerance || share > percent+tolerance {
			t.Errorf("user %q: version %s of reviews has %d%% of the pages, want %d%%", v.user, version, share, percent)
		}
	}
}

var (
	all    = func(version string) map[string]int { return map[string]int{version: 100} }
	nobody = view{reviews: all("v1")}
)

// groups are Bookinfo's networking files, and what they say that users see.
// Before each, everything is of version 1.
var groups = []struct {
	files []string
	views []view
}{
	{[]string{"virtual-service-all-v1"}, []view{nobody}},
	{[]string{"destination-rule-reviews"}, []view{nobody}},
	{[]string{"destination-rule-all-mtls"}, []view{nobody}},
	{[]string{"virtual-service-reviews-v3"}, []view{{reviews: all("v3"), ratings: "v1"}}},
	{[]string{"virtual-service-reviews-50-v3"}, []view{{reviews: map[string]int{"v1": 50, "v3": 50}}}},
	{[]string{"virtual-service-reviews-80-20"}, []view{{reviews: map[string]int{"v1": 80, "v2": 20}}}},
	{[]string{"virtual-service-reviews-90-10"}, []view{{reviews: map[string]int{"v1": 90, "v2": 10}}}},
	{[]string{"virtual-service-reviews-v2-v3"}, []view{{reviews: map[string]int{"v2": 50, "v3": 50}}}},
	{[]string{"virtual-service-reviews-test-v2"}, []view{nobody, {user: "jason", reviews: all("v2"), ratings: "v1"}}},
	{[]string{"virtual-service-reviews-jason-v2-v3"}, []view{{reviews: all("v3")}, {user: "jason", reviews: all("v2")}}},
	{[]string{"virtual-service-reviews-test-v2", "virtual-service-ratings-test-abort"},
		[]view{nobody, {user: "jason", reviews: all("v2"), ratings: "500"}}},
	{[]string{"virtual-service-reviews-test-v2", "virtual-service-ratings-test-delay"}, // by more than productpage waits
		[]view{nobody, {user: "jason", missing: true}}},
	{[]string{"fault-injection-details-v1"}, []view{{reviews: all("v1"), details: "555"}}},
	{[]string{"virtual-service-details-v2"}, []view{{reviews: all("v1"), details: "v2"}}},
	{[]string{"virtual-service-ratings-db"}, []view{{reviews: all("v3"), ratings: "v2"}}},
	{[]string{"virtual-service-ratings-mysql"}, []view{{reviews: all("v3"), ratings: "v2-mysql"}}},
	{[]string{"virtual-service-ratings-mysql-vm"}, []view{{reviews: all("v3"), ratings: "v2-mysql-vm"}}},
}

// TestBookinfo: its pods join the mesh, and each group of its networking files behaves as it says.
func TestBookinfo(t *testing.T) {
	Mesh(t)
	namespace := Namespace(t, "bookinfo", Injected)
	Apply(t, namespace, Sample(t, "platform/kube/bookinfo.yaml"))
	for _, extra := range otherVersions(t) {
		Apply(t, namespace, extra)
	}
	Rollout(t, namespace)
	url := ServiceURL(t, namespace, "productpage")
	await(t, url, view{}) // nothing is configured: all versions answer
	for _, group := range groups {
		t.Run(strings.Join(group.files, "+"), func(t *testing.T) {
			for _, file := range append([]string{"destination-rule-all", "virtual-service-all-v1"}, group.files...) {
				Apply(t, namespace, Sample(t, "networking/"+file+".yaml"))
			}
			for _, v := range group.views {
				await(t, url, v)
				if len(v.reviews) > 1 {
					count(t, url, v)
				}
			}
		})
	}
	t.Run("bookinfo-gateway", func(t *testing.T) {
		Apply(t, namespace, Sample(t, "networking/virtual-service-all-v1.yaml"))
		Apply(t, namespace, Sample(t, "networking/bookinfo-gateway.yaml"))
		Kubectl(t, "annotate", "gateways.networking.istio.io", "bookinfo-gateway", "-n", namespace, "weft.dev/deploy=true")
		const made = "ingressgateway-istio-weft"
		Kubectl(t, "wait", "service", made, "-n", namespace, "--for=create", "--timeout", Patience.String())
		await(t, ServiceURL(t, namespace, made), nobody)
	})
}

// otherVersions are of details and ratings. The samples have no manifests for
// some that their routes name; those are made of their sisters'.
func otherVersions(t *testing.T) []string {
	ratings := Sample(t, "platform/kube/bookinfo-ratings-v2.yaml")
	var all []string
	for _, version := range []string{"v2", "v2-mysql", "v2-mysql-vm"} {
		deployment := strings.NewReplacer("version: v2", "version: "+version, "name: ratings-v2", "name: ratings-"+version,
			"name: MONGO_DB_URL", "name: WEFT_VERSION", "mongodb://mongodb:27017/test", version).Replace(ratings)
		all = append(all, deployment)
	}
	_, details, _ := strings.Cut(Sample(t, "platform/kube/bookinfo.yaml"), "kind: ServiceAccount\nmetadata:\n  name: bookinfo-details")
	_, details, _ = strings.Cut(details, "---\n")
	details, _, _ = strings.Cut(details, "---\n")
	return append(all, strings.NewReplacer("details-v1", "details-v2", "version: v1", "version: v2").Replace(details))
}
