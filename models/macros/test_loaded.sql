{#- dbt's own tests, for tables that an account may not have: a table that is not loaded passes. -#}
{% test harvest_not_null(model, column_name) %}
  {% if harvest.is_loaded(model) %}
  select {{ column_name }} from {{ model }} where {{ column_name }} is null
  {% else %}
  {{ harvest.no_rows() }}
  {% endif %}
{% endtest %}


{% test harvest_unique(model, column_name) %}
  {% if harvest.is_loaded(model) %}
  select {{ column_name }}, count(*) as found
  from {{ model }}
  where {{ column_name }} is not null
  group by {{ column_name }}
  having count(*) > 1
  {% else %}
  {{ harvest.no_rows() }}
  {% endif %}
{% endtest %}


{% test harvest_relationships(model, column_name, to, field) %}
  {% if harvest.is_loaded(model) and harvest.is_loaded(to) %}
  select child.{{ column_name }}
  from {{ model }} as child
  left join {{ to }} as parent on parent.{{ field }} = child.{{ column_name }}
  where child.{{ column_name }} is not null and parent.{{ field }} is null
  {% else %}
  {{ harvest.no_rows() }}
  {% endif %}
{% endtest %}


{% macro is_loaded(relation) -%}
  {{ return(not execute or load_relation(relation) is not none) }}
{%- endmacro %}


{% macro no_rows() -%}
  select 1 as one from (select 1 as one) as nothing where 1 = 0
{%- endmacro %}


{% test harvest_unique_together(model, columns) %}
  select {{ columns | join(', ') }}, count(*) as found
  from {{ model }}
  group by {{ columns | join(', ') }}
  having count(*) > 1
{% endtest %}
