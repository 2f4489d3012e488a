package spinnaker

import (
	"errors"

	"weft.dev/api/v1alpha1"
)

// roles converts an application's permissions: who may execute may release, judge and undo there, and
// who may read is whoever may execute, where nobody is named.
func roles(file string, permissions object, to *v1alpha1.Roles) Item {
	execute := texts(permissions["EXECUTE"])
	if len(execute) == 0 {
		execute = texts(permissions["READ"])
	}
	release, errRelease := set("EXECUTE", execute, maxRole)
	freeze, errFreeze := set("WRITE", texts(permissions["WRITE"]), maxRole)
	item := Item{File: file, Path: "attributes.permissions", Code: Changed}
	if err := errors.Join(errRelease, errFreeze); err != nil {
		item.Code, item.Text = Kept, "everybody may: "+err.Error()
		return item
	}
	to.Release, to.Approve, to.Undo, to.Freeze = release, release, release, freeze
	item.Text = "EXECUTE (or READ) are the roles release, approve and undo, WRITE is freeze; who may read and change the pipelines, the API server's RBAC says"
	return item
}
