/** The chooser of models. */

import { type TemplateResult, css, html, nothing } from "lit";
import { T } from "../strings";
import { Part, controls, define, option, valueOf } from "./element";

export class ModelChooser extends Part {
  static override styles = [
    controls,
    css`
      :host {
        display: inline-flex;
        min-width: 0;
      }
      select {
        min-width: 0;
        max-width: 150px;
        min-height: 28px;
      }
    `,
  ];

  override render(): TemplateResult {
    const { studio } = this;
    const models = studio.server?.models ?? [];
    return html`<select
      aria-label=${T.bar.model}
      title=${T.bar.model}
      @change=${(event: Event) => {
        studio.set({ model: valueOf(event), hint: null });
        studio.view.remember("model", valueOf(event));
      }}
    >
      ${models.length > 0 ? nothing : html`<option>${T.bar.noModel}</option>`}
      ${models.map((model) => option(model.name, model.title || model.name, model.name === studio.model?.name))}
    </select>`;
  }
}

define("toccata-model-chooser", ModelChooser);
