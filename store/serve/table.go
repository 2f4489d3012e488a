package serve

import (
	"context"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
)

// columns are what kubectl get prints of a kind between name and age.
type columns struct {
	names []string
	cells func(runtime.Object) []any
}

var (
	namespaceColumns = columns{[]string{"Status"}, func(o runtime.Object) []any {
		return []any{string(o.(*corev1.Namespace).Status.Phase)}
	}}
	serviceColumns = columns{[]string{"Type", "Cluster-IP", "Port(s)"}, func(o runtime.Object) []any {
		s := o.(*corev1.Service)
		return []any{string(s.Spec.Type), orNone(s.Spec.ClusterIP), servicePorts(s.Spec.Ports)}
	}}
	secretColumns = columns{[]string{"Type", "Data"}, func(o runtime.Object) []any {
		s := o.(*corev1.Secret)
		return []any{string(s.Type), len(s.Data)}
	}}
	configMapColumns = columns{[]string{"Data"}, func(o runtime.Object) []any {
		c := o.(*corev1.ConfigMap)
		return []any{len(c.Data) + len(c.BinaryData)}
	}}
	eventColumns = columns{[]string{"Type", "Reason", "Object", "Message"}, func(o runtime.Object) []any {
		e := o.(*corev1.Event)
		return []any{e.Type, e.Reason, strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name, e.Message}
	}}
	endpointSliceColumns = columns{[]string{"AddressType", "Endpoints"}, func(o runtime.Object) []any {
		s := o.(*discoveryv1.EndpointSlice)
		return []any{string(s.AddressType), len(s.Endpoints)}
	}}
	leaseColumns = columns{[]string{"Holder"}, func(o runtime.Object) []any {
		if h := o.(*coordinationv1.Lease).Spec.HolderIdentity; h != nil {
			return []any{*h}
		}
		return []any{""}
	}}
)

// ConvertToTable makes the table of one object or of a list.
func (c columns) ConvertToTable(_ context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{}
	if o, ok := options.(*metav1.TableOptions); !ok || !o.NoHeaders {
		table.ColumnDefinitions = c.header()
	}
	add := func(o runtime.Object) error {
		m, err := meta.Accessor(o)
		if err != nil {
			return err
		}
		row := metav1.TableRow{Object: runtime.RawExtension{Object: o}, Cells: []any{m.GetName()}}
		if c.cells != nil {
			row.Cells = append(row.Cells, c.cells(o)...)
		}
		row.Cells = append(row.Cells, duration.HumanDuration(time.Since(m.GetCreationTimestamp().Time)))
		table.Rows = append(table.Rows, row)
		return nil
	}
	if !meta.IsListType(obj) {
		if m, err := meta.CommonAccessor(obj); err == nil {
			table.ResourceVersion = m.GetResourceVersion()
		}
		return table, add(obj)
	}
	if m, err := meta.ListAccessor(obj); err == nil {
		table.ResourceVersion, table.Continue, table.RemainingItemCount = m.GetResourceVersion(), m.GetContinue(), m.GetRemainingItemCount()
	}
	return table, meta.EachListItem(obj, add)
}

func (c columns) header() []metav1.TableColumnDefinition {
	all := []metav1.TableColumnDefinition{{Name: "Name", Type: "string", Format: "name"}}
	for _, n := range c.names {
		all = append(all, metav1.TableColumnDefinition{Name: n, Type: "string"})
	}
	return append(all, metav1.TableColumnDefinition{Name: "Age", Type: "string"})
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func servicePorts(ports []corev1.ServicePort) string {
	all := make([]string, len(ports))
	for i, p := range ports {
		all[i] = fmt.Sprintf("%d/%s", p.Port, p.Protocol)
	}
	return orNone(strings.Join(all, ","))
}
