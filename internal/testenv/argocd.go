// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// scriptTimeout is how long a script may take. Argo CD gives it a second.
const scriptTimeout = 10 * time.Second

// ArgoCDHealth is what Argo CD makes of an object with the script of config/argocd for its kind: a health status and a message. The script
// runs as Argo CD runs it, without the libraries that Argo CD keeps from scripts.
func ArgoCDHealth(t testing.TB, of runtime.Object) (status, message string) {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		t.Fatal(err)
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), scriptTimeout) // it is asked in clean-ups, too
	defer cancel()
	state.SetContext(ctx)
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	state.SetGlobal("obj", luaValue(t, state, object))
	kind := of.GetObjectKind().GroupVersionKind()
	if err := state.DoString(healthScript(t, kind.Group, kind.Kind)); err != nil {
		t.Fatalf("Argo CD's script for %s: %v", kind.Kind, err)
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("Argo CD's script for %s returns no table", kind.Kind)
	}
	return lua.LVAsString(result.RawGetString("status")), lua.LVAsString(result.RawGetString("message"))
}

// healthScript reads a kind's script from the ConfigMap, where Argo CD looks for it.
func healthScript(t testing.TB, group, kind string) string {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(Root(), "config", "argocd", "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	configMap := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(manifest, configMap); err != nil {
		t.Fatal(err)
	}
	script := configMap.Data["resource.customizations.health."+group+"_"+kind]
	if script == "" || configMap.Name != "argocd-cm" {
		t.Fatalf("config/argocd/argocd-cm.yaml has no script for %s, or another name", kind)
	}
	return script
}

// luaValue is a JSON value for Lua.
func luaValue(t testing.TB, state *lua.LState, value any) lua.LValue {
	t.Helper()
	switch v := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(luaValue(t, state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, luaValue(t, state, item))
		}
		return table
	default:
		t.Fatalf("there is no Lua for a %T", v)
		return nil
	}
}
