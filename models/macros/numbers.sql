{#- A number with six decimals, as Harvest's amounts and hours are stored. -#}
{% macro decimal(expression) -%}
  cast(round({{ expression }}, 6) as decimal(20, 6))
{%- endmacro %}


{#- A quotient with six decimals; null if there is nothing to divide by. -#}
{% macro ratio(dividend, divisor) -%}
  {{ harvest.decimal(harvest.real(dividend) ~ ' / nullif(' ~ harvest.real(divisor) ~ ', 0)') }}
{%- endmacro %}


{#- A number to divide with: on some databases a quotient of decimals has few decimals. -#}
{% macro real(expression) -%}
  cast({{ expression }} as {{ harvest.real_type() }})
{%- endmacro %}

{% macro real_type() -%}
  {{ return(adapter.dispatch('real_type', 'harvest')()) }}
{%- endmacro %}

{% macro default__real_type() -%}
  decimal(38, 12)
{%- endmacro %}

{% macro duckdb__real_type() -%}
  double
{%- endmacro %}

{% macro bigquery__real_type() -%}
  bignumeric
{%- endmacro %}


{#- A sum that is null as soon as one of the amounts is: an unknown rate must not count as 0. -#}
{% macro sum_of_known(expression) -%}
  case when count(*) = count({{ expression }}) then sum({{ expression }}) end
{%- endmacro %}


{#- An amount in the account's currency. 0 needs no rate. -#}
{% macro in_account_currency(amount, rate='exchange_rate') -%}
  case when {{ amount }} = 0 then {{ amount }} else {{ harvest.decimal(amount ~ ' * ' ~ rate) }} end
{%- endmacro %}


{#- How old something is, in the steps of accountants. -#}
{% macro age_bucket(days) -%}
  case
    when {{ days }} <= 30 then '0 to 30'
    when {{ days }} <= 60 then '31 to 60'
    when {{ days }} <= 90 then '61 to 90'
    else 'more than 90'
  end
{%- endmacro %}
